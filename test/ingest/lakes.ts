import type { Lake } from '../../src/shared/lake/lake.ts';

/** The lake with some of its methods replaced. */
export function changedLake(lake: Lake, changes: Partial<Lake>): Lake {
  return {
    location: lake.location,
    get: async (key) => lake.get(key),
    put: async (key, body) => lake.put(key, body),
    putIfAbsent: async (key, body) => lake.putIfAbsent(key, body),
    replace: async (key, body) => lake.replace(key, body),
    delete: async (key) => lake.delete(key),
    list: (prefix, after) => lake.list(prefix, after),
    ...changes,
  };
}

export type During = (key: string) => Promise<void>;

/** A lake that does something else before it takes an object: the batch is then being read. */
export function lakeThat(lake: Lake, during: During): Lake {
  return changedLake(lake, {
    put: async (key, body) => {
      await during(key);
      return lake.put(key, body);
    },
  });
}

/** `during` the first time only. */
export function once(during: During): During {
  let done = false;
  return async (key) => {
    if (done) return;
    done = true;
    await during(key);
  };
}

/** A lake that breaks after so many bytes of an object. */
export function breakingLake(lake: Lake, afterBytes: number, error: Error): Lake {
  return changedLake(lake, { put: async (key, body) => lake.put(key, breaking(body, afterBytes, error)) });
}

type Bytes = AsyncIterable<Uint8Array>;

async function* breaking(body: Bytes, afterBytes: number, error: Error): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > afterBytes) throw error;
    yield chunk;
  }
}

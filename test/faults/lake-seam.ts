import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { PipelineError } from '../../src/shared/errors.ts';
import type { Lake } from '../../src/shared/lake/lake.ts';
import type { Fault, Seam, Step } from './steps.ts';

type Call = keyof Omit<Lake, 'location'>;

/** `lake` with a seam in front of each call. */
export class LakeSeam implements Lake {
  readonly location: string;
  readonly #lake: Lake;
  readonly #name: string;
  readonly #seam: Seam;

  constructor(lake: Lake, name: 'ingestion' | 'processed', seam: Seam) {
    this.location = lake.location;
    this.#lake = lake;
    this.#name = name;
    this.#seam = seam;
  }

  async get(key: string): Promise<Readable> {
    const fault = this.#seam.next(this.#step('get', key));
    const stream = await this.#around(fault, key, async () => this.#lake.get(key), null, false);
    return fault === 'answer lost' ? Readable.from(half(await buffer(stream), key)) : stream;
  }

  async put(key: string, body: AsyncIterable<Uint8Array>): Promise<number> {
    const fault = this.#seam.next(this.#step('put', key));
    return this.#around(fault, key, async () => this.#lake.put(key, body), body);
  }

  async putIfAbsent(key: string, body: Uint8Array): Promise<'created' | 'exists'> {
    const fault = this.#seam.next(this.#step('putIfAbsent', key));
    return this.#around(fault, key, async () => this.#lake.putIfAbsent(key, body));
  }

  async replace(key: string, body: Uint8Array): Promise<void> {
    const fault = this.#seam.next(this.#step('replace', key));
    return this.#around(fault, key, async () => this.#lake.replace(key, body));
  }

  async *list(prefix: string, after?: string): AsyncGenerator<string, void, undefined> {
    const fault = this.#seam.next(this.#step('list', prefix));
    const listed = async () => allOf(this.#lake.list(prefix, after));
    const keys = await this.#around(fault, prefix, listed, null, false);
    if (fault !== 'answer lost') return yield* keys;
    // The first page has come.
    yield* keys.slice(0, keys.length / 2);
    throw lost(prefix);
  }

  async delete(key: string): Promise<void> {
    const fault = this.#seam.next(this.#step('delete', key));
    return this.#around(fault, key, async () => this.#lake.delete(key));
  }

  /** @param loses Whether a lost answer is an error at once; what streams loses it on the way. */
  async #around<T>(
    fault: Fault | null,
    key: string,
    work: () => Promise<T>,
    body: AsyncIterable<Uint8Array> | null = null,
    loses = true,
  ): Promise<T> {
    if (fault === 'killed before') return this.#seam.die();
    if (fault === 'error') throw new PipelineError('lake_denied', `injected at ${key}`, { key });
    if (fault === 'reset') {
      await body?.[Symbol.asyncIterator]().next();
      throw lost(key);
    }
    const done = await work();
    if (fault === 'killed after') return this.#seam.die();
    if (fault === 'answer lost' && loses) throw lost(key);
    return done;
  }

  #step(call: Call, key: string): Step {
    const [root = '', table = ''] = key.split('/');
    const place = root === 'log' || root === '' ? root : root === 'split' ? splitPlace(key) : `${root}/${table}`;
    const kind = root === 'data' || root === 'mirror' ? `${root}/<table>` : place;
    return { name: `${this.#name}: ${call} ${place}`, kind: `${this.#name}: ${call} ${kind}` };
  }
}

/** What there is of plans: their batch and attempt are different in each run. */
function splitPlace(key: string): string {
  const [, , attempt = '', name = ''] = key.split('/');
  if (name !== '') return `split/${name.replace(/(-\d+)?\.json$/, '')}`;
  return attempt === '' ? 'split/<batch>' : 'split/<attempt>';
}

function lost(key: string): PipelineError {
  return new PipelineError('lake_unavailable', `injected at ${key}`, { key });
}

async function allOf(keys: AsyncIterable<string>): Promise<readonly string[]> {
  const all: string[] = [];
  for await (const key of keys) all.push(key);
  return all;
}

/** A stream that breaks in the middle. */
async function* half(bytes: Buffer, key: string): AsyncGenerator<Buffer> {
  yield bytes.subarray(0, bytes.length / 2);
  throw lost(key);
}

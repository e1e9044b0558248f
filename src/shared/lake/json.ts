import { PipelineError } from '../errors.ts';
import type { Lake } from './lake.ts';

/**
 * A small object that holds JSON. `lake_corrupt` when it holds something else or more than `maxBytes`; the parser's own
 * error quotes what it read and is therefore not passed on.
 */
export async function readJson(lake: Lake, key: string, maxBytes: number): Promise<unknown> {
  const bytes = await readBytes(lake, key, maxBytes);
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    return value;
  } catch {
    throw new PipelineError('lake_corrupt', `${key} is not JSON`, { key });
  }
}

export function toJson(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value)}\n`, 'utf8');
}

async function readBytes(lake: Lake, key: string, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const body: AsyncIterable<Uint8Array> = await lake.get(key);
  for await (const chunk of body) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw new PipelineError('lake_corrupt', `${key} is over ${maxBytes} bytes`, { key });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

import type { Lake } from './lake.ts';

/** A whole object in memory: for objects whose size the writer bounds. */
export async function bytesOf(lake: Lake, key: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const stream: AsyncIterable<Uint8Array> = await lake.get(key);
  for await (const chunk of stream) chunks.push(chunk);
  // Once, where `buffer` of node:stream/consumers copies twice.
  return Buffer.concat(chunks);
}

import { buffer } from 'node:stream/consumers';
import type { Lake } from './lake.ts';

/** A whole object in memory: for objects whose size the writer bounds. */
export async function bytesOf(lake: Lake, key: string): Promise<Uint8Array> {
  return buffer(await lake.get(key));
}

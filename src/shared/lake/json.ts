import { PipelineError } from '../errors.ts';
import type { Lake } from './lake.ts';

/** An entry names objects and counts rows, and so does what is to become one; larger than this is neither. */
export const ENTRY_MAX_BYTES = 64 * 1024 * 1024;

/** Entries and states are nested five deep. */
const MAX_DEPTH = 32;

/**
 * A small object that holds JSON. `lake_corrupt` when it holds something else, more than `maxBytes`, or is nested deeper
 * than anything that is written here; the parser's own error quotes what it read and is therefore not passed on.
 */
export async function readJson(lake: Lake, key: string, maxBytes: number): Promise<unknown> {
  const bytes = await readBytes(lake, key, maxBytes);
  if (isTooDeep(bytes)) throw new PipelineError('lake_corrupt', `${key} is nested too deeply`, { key });
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

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** Looked at before it is parsed: the parser took 31 s and 1.8 GB for 60 MB of nothing but brackets. */
function isTooDeep(bytes: Uint8Array): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) quoted = !quoted;
    else if (quoted && byte === BACKSLASH) at += 1;
    else if (!quoted && OPENING.has(byte)) depth += 1;
    else if (!quoted && CLOSING.has(byte)) depth -= 1;
    if (depth > MAX_DEPTH) return true;
  }
  return false;
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

/** Shorter strings are copied by V8 anyway. */
const SHORTEST_SLICE = 13;

/**
 * The same text, in memory of its own. A field is a slice of the chunk it was read in and keeps all of it; who holds it
 * for longer than the chunk has to copy it.
 */
export function owned(text: string): string {
  return text.length < SHORTEST_SLICE ? text : Buffer.from(text).toString();
}

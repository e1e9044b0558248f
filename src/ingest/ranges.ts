/**
 * A heap cut into pieces that several readers share: by block, which PostgreSQL 14 and later find without reading the
 * rest (a TID range scan). All of them must read the same files: whoever joins locks the table first.
 */

export interface Blocks {
  /** The first block. */
  readonly from: number;
  /** The first block behind them; null for all there are, also those that come after the relation was measured. */
  readonly to: number | null;
}

/**
 * Blocks of all leaves at once, for who asks the declared table and has no right to its partitions. Leaf by leaf (by
 * `tableoid`, which prunes no partition) each would be read as often as there are leaves; this reads each block once.
 * Together they are every block of every leaf, each exactly once.
 * @param pages How long the leaves are.
 * @param slicePages About as many a slice has of all leaves together, but for the last, which is open.
 */
export function cutAcross(pages: readonly number[], slicePages: number): readonly Blocks[] {
  if (!(slicePages >= 1)) throw new RangeError('a slice has at least one page');
  const ends = pages.toSorted((one, other) => one - other);
  const bounds = [0];
  let [from, left, at] = [0, slicePages, 0];
  for (const [ended, end] of ends.entries()) {
    // Up to where the next leaf ends they are alike, and behind it the rest of a slice reaches further.
    const alike = ends.length - ended;
    while (at < end) {
      if (at > from && left < alike) {
        bounds.push(at);
        [from, left] = [at, slicePages];
      }
      const to = Math.min(end, at + Math.max(1, Math.floor(left / alike)));
      left -= (to - at) * alike;
      at = to;
    }
  }
  return bounds.map((from, at) => ({ from, to: bounds[at + 1] ?? null }));
}

export function blocksCondition({ from, to }: Blocks): string {
  return `ctid >= '(${from},0)'::tid${to === null ? '' : ` and ctid < '(${to},0)'::tid`}`;
}

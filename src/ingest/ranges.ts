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

/** Blocks of one physical relation. */
export interface Range extends Blocks {
  /** Its oid. */
  readonly leaf: string;
}

/**
 * Every block of every leaf, in exactly one range: also of a leaf that is empty, or grows from now on.
 * @param rangePages The most that a range has, but for the last of a leaf, which is open.
 */
export function cutIntoRanges(
  leaves: readonly { readonly oid: string; readonly pages: number }[],
  rangePages: number,
): readonly Range[] {
  if (!Number.isSafeInteger(rangePages) || rangePages < 1) throw new RangeError('a range has at least one page');
  return leaves.flatMap(({ oid, pages }) => {
    const count = Math.max(1, Math.ceil(pages / rangePages));
    return Array.from({ length: count }, (_, at) => ({
      leaf: oid,
      from: at * rangePages,
      to: at + 1 < count ? (at + 1) * rangePages : null,
    }));
  });
}

/**
 * The rows in it, asked of the declared table.
 * @param isAlone The declared table has neither partitions nor children. Where it has, the others are scanned over the
 * same blocks for nothing: their rows are left out by `tableoid`, which prunes no partition.
 */
export function rangeCondition(range: Range, isAlone: boolean): string {
  return isAlone ? blocksCondition(range) : `tableoid = '${range.leaf}'::oid and ${blocksCondition(range)}`;
}

/**
 * Blocks of all leaves at once, for who asks the declared table and has no right to its partitions: where `rangeCondition`
 * would read each leaf as often as there are leaves, this reads each block once. Together they are every block of every
 * leaf, each exactly once.
 * @param pages How long the leaves are.
 * @param slicePages About as many a slice has of all leaves together, but for the last, which is open.
 */
export function cutAcross(pages: readonly number[], slicePages: number): readonly Blocks[] {
  if (!(slicePages >= 1)) throw new RangeError('a slice has at least one page');
  const longest = Math.max(0, ...pages);
  const bounds = [0];
  for (let from = 0; from < longest; ) {
    const alike = pages.filter((length) => length > from);
    // Up to where the next leaf ends they are alike, and behind it a slice may be longer.
    const to = Math.min(from + Math.max(1, Math.floor(slicePages / alike.length)), ...alike);
    if (to < longest) bounds.push(to);
    from = to;
  }
  return bounds.map((from, at) => ({ from, to: bounds[at + 1] ?? null }));
}

export function blocksCondition({ from, to }: Blocks): string {
  return `ctid >= '(${from},0)'::tid${to === null ? '' : ` and ctid < '(${to},0)'::tid`}`;
}

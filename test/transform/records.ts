import type { CsvBlock, CsvRecord } from '../../src/transform/csv.ts';

/** All records of a block, which itself is only valid until the next one. */
export function recordsIn(block: CsvBlock): readonly CsvRecord[] {
  const records: CsvRecord[] = [];
  while (block.next()) records.push(block.record());
  return records;
}

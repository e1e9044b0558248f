import { type CsvBlock, type CsvRecord, recordAt } from '../../src/transform/csv.ts';

/** All records of a block, which itself is only valid until the next one. */
export function recordsIn(block: CsvBlock): readonly CsvRecord[] {
  return Array.from({ length: block.rows }, (_, record) => recordAt(block, record));
}

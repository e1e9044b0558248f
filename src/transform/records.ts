import { PipelineError } from '../shared/errors.ts';
import type { IngestedTable } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { release } from '../shared/release.ts';
import { type CsvBlock, decodeCsv } from './csv.ts';

/**
 * All records of one table of a batch, a block at a time.
 * @throws PipelineError `lake_corrupt` when an object does not hold the columns and the rows that the entry says.
 */
export async function* recordsOf(lake: Lake, table: IngestedTable): AsyncGenerator<CsvBlock> {
  for (const part of table.parts) {
    let rows = 0;
    for await (const block of decodeCsv(part.key, givenBack(await lake.get(part.key)))) {
      if (!isSame(block.header, table.columns)) throw foreign(part.key);
      yield block;
      rows = block.records;
    }
    if (rows === part.rows) continue;
    const message = `${part.key} holds ${rows} rows, but its log entry says ${part.rows}`;
    throw new PipelineError('lake_corrupt', message, { key: part.key });
  }
}

/** The chunks of an object are nobody else's, and whoever asks for the next has taken over the one before. */
async function* givenBack(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk;
    release(chunk);
  }
}

function isSame(header: readonly string[], columns: readonly string[]): boolean {
  return header.length === columns.length && header.every((name, at) => name === columns[at]);
}

function foreign(key: string): PipelineError {
  return new PipelineError('lake_corrupt', `${key} has other columns than its log entry says`, { key });
}

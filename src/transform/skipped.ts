import type { IngestionEntry, ProcessedEntry } from '../shared/lake/entries.ts';
import { batchOfSkipKey, skipKey } from '../shared/lake/key.ts';
import type { Skips } from '../shared/lake/skips.ts';
import { type OutputSpec, sourcesOf } from '../shared/model/model.ts';

interface Kept {
  readonly entry: IngestionEntry;
  /** By table: how many rows the batch does without. */
  readonly skipped: Record<string, number>;
}

/** The batch as if the tables that an operator skipped had brought nothing: their mirrors stay what they were. */
export function leaveOut(entry: IngestionEntry, skips: Skips): Kept {
  const tables = { ...entry.tables };
  const skipped: Record<string, number> = {};
  for (const [name, table] of Object.entries(entry.tables)) {
    if (!skips.has(entry.batch, name)) continue;
    skipped[name] = table.rows;
    tables[name] = { ...table, whole: null, rows: 0, parts: [] };
  }
  return { entry: { ...entry, tables }, skipped };
}

/**
 * Whether something that an output shows was skipped when it had been transformed already: what load left out is in the
 * mirrors, and no later difference would show it.
 */
export function wasSkippedSince(previous: ProcessedEntry | null, output: OutputSpec, skips: Skips): boolean {
  const known = new Set(previous?.skips);
  const concerns = [output.name, ...sourcesOf(output)];
  return skips.keys.some((key) => {
    const batch = batchOfSkipKey(key);
    if (known.has(key) || batch === null || batch > (previous?.batch ?? 0)) return false;
    return concerns.some((name) => skipKey(batch, name) === key);
  });
}

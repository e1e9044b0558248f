import { type IngestionEntry, type ProcessedEntry, withoutPrototype } from '../shared/lake/entries.ts';
import { isSkipKeyOf } from '../shared/lake/key.ts';
import type { Skips } from '../shared/lake/skips.ts';
import { type Model, outputsOf, type OutputSpec, QUARANTINE } from '../shared/model/model.ts';
import type { Report } from '../shared/report.ts';

interface Kept {
  readonly entry: IngestionEntry;
  /** By table and output: how many rows the batch brought of it. */
  readonly skipped: Record<string, number>;
}

/** The batch as if the tables that an operator skipped had brought nothing: their mirrors stay what they were. */
export function leaveOut(model: Model, entry: IngestionEntry, skips: Skips): Kept {
  const skipped: Record<string, number> = {};
  const tables = withoutPrototype(entry.tables);
  for (const { name } of model.tables) {
    const table = entry.tables[name];
    if (!table || !skips.has(entry, name)) continue;
    skipped[name] = table.rows;
    tables[name] = { ...table, whole: null, rows: 0, parts: [] };
  }
  for (const { name, source } of [...outputsOf(model), { name: QUARANTINE, source: '' }]) {
    if (skips.has(entry, name)) skipped[name] = entry.tables[source]?.rows ?? 0;
  }
  return { entry: { ...entry, tables }, skipped };
}

export function tellSkipped(report: Report, batch: number, skipped: Readonly<Record<string, number>>): void {
  for (const [table, rows] of Object.entries(skipped)) {
    const message = `${table} is skipped, as was asked for: ${rows} rows`;
    report({ event: 'warning', stage: 'transform', batch, table, message });
  }
}

/** Whether an output was skipped when it had been made: what load left out no later difference would show. */
export function wasSkippedSince(previous: ProcessedEntry | null, output: OutputSpec, skips: Skips, batch: number): boolean {
  const known = new Set(previous?.skips);
  return skips.before(batch).some((key) => !known.has(key) && isSkipKeyOf(key, output.name));
}

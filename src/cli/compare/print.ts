import type { Waiting } from '../../load/waiting.ts';
import { printWaiting } from '../quarantine.ts';
import { number, type Output, table } from '../output.ts';
import { agrees, type Comparison } from './compare.ts';

export function printComparison(
  comparisons: readonly Comparison[],
  waiting: readonly Waiting[],
  output: Output,
): void {
  for (const { columns, ...comparison } of comparisons) {
    output.object({ event: 'comparison', ...comparison, columns });
  }
  const rows = comparisons.map((comparison) => [
    comparison.table,
    number(comparison.same),
    number(comparison.different),
    number(comparison.missing),
    number(comparison.extra),
    agrees(comparison) ? 'equal' : `DIFFERENT ${comparison.columns.join(', ')}`.trim(),
  ]);
  output.line(table(['warehouse table', 'same', 'different', 'missing', 'extra', 'verdict'], rows));
  printWaiting(waiting, output);
}

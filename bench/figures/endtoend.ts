import { allInTurn, type Side } from '../in-turn.ts';
import { type Prepared, removeLakes } from '../prepared.ts';
import { figure, ratio, type Scope } from '../scope.ts';
import { copyToCsv } from './ingest.ts';
import { copyFromBinary, intoWarehouse } from './load.ts';
import { byDuckdb } from './transform.ts';

/**
 * `endtoend_vs_sum`: source to warehouse by one `run`, beside the three yardsticks one after the other; and
 * `rows_per_s_growth`, beside a `run` of a quarter of the rows.
 */
export async function endtoend(scope: Scope): Promise<void> {
  const { prepared, rows, rounds, wanted } = scope;
  const few = Math.ceil(rows / 4);
  const sides: (readonly Side[])[] = [[await wholeRun(prepared, rows)]];
  if (wanted.has('endtoend_vs_sum')) sides.push(await threeYardsticks(prepared, rows));
  if (wanted.has('rows_per_s_growth')) sides.push([await wholeRun(prepared, few)]);
  const [ours, ...others] = await allInTurn(prepared.ground, rounds, sides);
  const [yardstick, least] = [wanted.has('endtoend_vs_sum') ? others[0] : undefined, others.at(-1)];
  if (ours && yardstick) scope.tell(ratio('endtoend_vs_sum', { ours, yardstick }));
  if (!ours || !least || !wanted.has('rows_per_s_growth')) return;
  const [fast, slow] = [rows / ours.seconds, few / least.seconds];
  const cpus = { ours_cpu: ours.cpu, yardstick_cpu: least.cpu };
  scope.tell(figure('rows_per_s_growth', { value: fast / slow, ours: fast, yardstick: slow, unit: 'rows/s', ...cpus }));
}

async function threeYardsticks(prepared: Prepared, rows: number): Promise<readonly Side[]> {
  return [await copyToCsv(prepared, rows), await byDuckdb(prepared, rows), await copyFromBinary(prepared, rows)];
}

/** The command `run`, from an empty lake and an empty warehouse. */
async function wholeRun(prepared: Prepared, rows: number): Promise<Side> {
  const sourceUrl = await prepared.source(rows);
  return intoWarehouse(prepared, rows, async (warehouseUrl) => {
    const lakes = await prepared.emptyLakes();
    const took = await prepared.run({ work: 'run', model: 'totesys', ...lakes, sourceUrl, warehouseUrl });
    await removeLakes(lakes);
    return took;
  });
}

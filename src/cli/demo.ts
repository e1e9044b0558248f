import { chmod, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { oneAtATime, SEED, withSource } from '../local/embedded.ts';
import { CLOSES_MS } from '../local/totesys/calendar.ts';
import { type LivedDay, liveOneDay, openLateTransaction } from '../local/totesys/day.ts';
import { WAREHOUSE_SETTINGS } from '../load/session.ts';
import { readState } from '../shared/lake/state.ts';
import { close, connect } from '../shared/postgres/client.ts';
import { identifier } from '../shared/postgres/sql.ts';
import { agrees, compare } from './compare/compare.ts';
import { printComparison } from './compare/print.ts';
import { STATE_DIRECTORY } from './config.ts';
import type { PipelineContext } from './context.ts';
import { findFact, printHistory, readHistory } from './history.ts';
import { type Output, table } from './output.ts';
import { runToEnd } from './pipeline.ts';
import { readWaiting } from './quarantine.ts';
import { printStatus, readStatus } from './status.ts';

/**
 * The whole story on one machine: load the source, let it live a working day with everything that others miss, load
 * again, and show that warehouse and source agree.
 * @returns whether they do.
 */
export async function demo(context: PipelineContext, output: Output): Promise<boolean> {
  const isDone = await oneAtATime(context.sourceUrl, async () => tellStory(context, output));
  if (isDone === 'another') output.log.error('another demo is running here: wait for it to end');
  return isDone === true;
}

async function tellStory(context: PipelineContext, output: Output): Promise<boolean> {
  const isFirst = (await readState(context.ingestion, 'ingest')) === null;
  heading(output, isFirst ? 'First load' : 'What came since the last load');
  if (!(await runToEnd(context, output))) return false;
  const day = await liveAndLoad(context, output);
  if (!day) return false;
  await showAnswers(context, output, day);
  heading(output, 'Source and warehouse, row by row and column by column');
  const comparisons = await compare(context);
  printComparison(comparisons, await readWaiting(context), output);
  await showConnections(context, output);
  return comparisons.every(agrees);
}

/** One transaction is opened before the day and committed only after its batch: the change that a watermark loses. */
async function liveAndLoad(context: PipelineContext, output: Output): Promise<LivedDay | null> {
  return withSource(context.sourceUrl, async (late) => {
    const open = await openLateTransaction(late, { seed: SEED });
    const day = await withSource(context.sourceUrl, (client) => liveOneDay(client, { seed: SEED }));
    heading(output, `The source lived ${day.day}`);
    output.line(tellDay(day));
    if (endOf(day) > context.now().getTime()) output.line(AHEAD);
    output.object({ event: 'day', ...day });
    if (!(await runToEnd(context, output))) return null;
    await open.commit();
    heading(output, `A transaction begun before that batch commits now (orders ${open.orderIds.join(' and ')})`);
    output.line(READ_AGAIN);
    return (await runToEnd(context, output)) ? day : null;
  });
}

/** A made-up source begins weeks back, and lives faster than everybody else. */
function endOf({ day }: LivedDay): number {
  return Date.parse(day) + CLOSES_MS;
}

const AHEAD = `
That day is not over yet: versions of it hold from moments to come (valid_from is later than now). To have a source
that is weeks behind again: \`node dist/starling.js stop\`, and delete ${STATE_DIRECTORY}/.`.trim();

const READ_AGAIN = `
Rows written since that transaction began were read again as long as it was open, and are once more now:
what is no different from what the warehouse holds is dropped.`.trim();

function tellDay(day: LivedDay): string {
  const { silentEdits: edits, renamedDepartment: department } = day;
  const silent = edits.salesOrderIds.length + edits.purchaseOrderIds.length + edits.designIds.length;
  return [
    `${day.salesOrders} sales orders, ${day.purchaseOrders} purchase orders and ${day.designs} designs came in,`,
    `${day.paymentsPaid} payments were paid, department ${department.from} is now ${department.to},`,
    `and ${silent} rows were edited with last_updated left as it was.`,
  ].join('\n');
}

const REVENUE = (schema: string) => `
  select to_char(created_date, 'YYYY-MM') as month, currency_code as currency,
    count(*)::text as orders, sum(units_sold * unit_price)::text as revenue
  from ${identifier(schema)}.current_sales_order join ${identifier(schema)}.dim_currency using (currency_id)
  group by 1, 2 order by 1 desc, 2 limit 9`;

async function showAnswers(context: PipelineContext, output: Output, day: LivedDay): Promise<void> {
  heading(output, 'Revenue now, by month and currency (the last three months)');
  const rows = await query(context, REVENUE(context.warehouseSchema));
  for (const row of rows) output.object({ event: 'revenue', ...row });
  const header = ['month', 'currency', 'orders', 'revenue'];
  output.line(table(header, rows.map((row) => header.map((name) => row[name] ?? ''))));
  const edited = String(day.silentEdits.salesOrderIds[0]);
  heading(output, `The history of sales order ${edited}, edited silently`);
  const fact = findFact(context.model, 'sales_order');
  printHistory(fact, await readHistory(context, fact, edited), output);
  heading(output, 'How fresh the warehouse is');
  printStatus(await readStatus(context), context.now(), output);
}

type TextRow = Readonly<Record<string, string | null>>;

async function query(context: PipelineContext, sql: string): Promise<readonly TextRow[]> {
  const client = await connect('warehouse', context.warehouseUrl, WAREHOUSE_SETTINGS);
  try {
    return (await client.query<Record<string, string | null>>(sql)).rows;
  } finally {
    await close(client);
  }
}

/** The server's password goes into a file that libpq reads by itself, not onto the screen. */
async function showConnections(context: PipelineContext, output: Output): Promise<void> {
  const passfile = resolve(join(STATE_DIRECTORY, 'pgpass'));
  const { hostname, port, username, password } = new URL(context.warehouseUrl);
  await writeFile(passfile, `${hostname}:${port}:*:${username}:${password}\n`, { mode: 0o600 });
  await chmod(passfile, 0o600);
  heading(output, 'Look around (the server stays up; `node dist/starling.js stop` ends it)');
  for (const database of ['warehouse', 'totesys']) {
    const url = `postgresql://${username}@${hostname}:${port}/${database}?passfile=${encodeURIComponent(passfile)}`;
    output.line(`psql '${url}'`);
    output.object({ event: 'connection', database, url });
  }
}

function heading(output: Output, text: string): void {
  output.line(`\n== ${text}`);
}

import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { beforeAll, expect, test } from 'vitest';
import { type Figures, figuresSchema } from '../aws/day-figures.ts';
import { endpointHours, type Line, linesOf, type Prices, storedAfterAYear, total } from './bill.ts';
import { amount, COST_PAGE, pricesOf, tablesOf, tableUnder, usd, withTables } from './cost-page.ts';
import { type Deployed, readDeployed } from './deployed.ts';

const FIGURES = new URL('../../docs/cost-day.json', import.meta.url);

/** What the pipeline needs to be watched and told of, or for being there at all. */
const STANDING = new Set([
  'KMS: key', 'Secrets Manager: secrets', 'SQS: requests', 'CloudWatch: metrics', 'CloudWatch: metrics in alarms', 'CloudWatch: dashboard',
  'SNS: SMS', 'SNS: emails',
]);

let page: string;
let figures: Figures;
let deployed: Deployed;
let prices: Prices;
let lines: readonly Line[];

beforeAll(async () => {
  page = await readFile(COST_PAGE, 'utf8');
  figures = v.parse(figuresSchema, JSON.parse(await readFile(FIGURES, 'utf8')));
  deployed = await readDeployed();
  prices = pricesOf(page);
  lines = linesOf(figures, deployed);
});

test.each(['A month', 'What drives it', 'Other choices'])('the table "%s" is what the measured days and the unit prices come to', (heading) => {
  const table = tablesOf(page, figures, deployed).get(heading);
  const columns = table?.rows[0]?.length;
  expect(tableUnder(page, heading).map((row) => row.slice(0, columns))).toEqual(table?.rows);
});

test('other figures make another page', () => {
  const { working_day: working } = figures;
  const busier = { ...figures, working_day: { ...working, metric_hours: { ...working.metric_hours, Rows: 10_000 } } };
  expect(withTables(page, tablesOf(page, figures, deployed))).toBe(page);
  expect(withTables(page, tablesOf(page, busier, deployed))).not.toBe(page);
  expect(total(linesOf(busier, deployed), prices)).toBeGreaterThan(total(lines, prices) + 50);
});

test('every line says where its count comes from, and every price how it was checked', () => {
  for (const row of tableUnder(page, 'A month').slice(0, -1)) expect(row[6]).toMatch(/\w{4}/);
  for (const row of tableUnder(page, 'Unit prices')) expect(row[4]).toMatch(/^(price list|many pages|not checked)$/);
  expect([...prices.keys()]).toEqual([...lines, endpointHours(deployed)].map(({ name }) => name));
});

test('the sentences that have figures have those of the measured days', () => {
  const { working_day: working, quiet_day: quiet, first_load, orders, rows_changed } = figures;
  const rows = Object.values(rows_changed).reduce((all, some) => all + some, 0);
  const idle = (stage: 'transform' | 'load', action: string): string =>
    amount((quiet.stages[stage].requests[action] ?? 0) / quiet.stages[stage].invocations);
  const stored = first_load.stored.ingestion.bytes + first_load.stored.processed.bytes;
  const added = working.stored.ingestion.bytes + working.stored.processed.bytes;
  const objects = working.stored.ingestion.objects + working.stored.processed.objects;
  const running = total(lines.filter(({ name }) => !STANDING.has(name)), prices);
  const text = page.replaceAll(/\s+/g, ' ');
  const sentences = [
    `about USD ${usd(total(lines, prices))} a month`,
    `computing, requests, storage and logs together are ${Math.round((100 * running) / total(lines, prices))} % of the sum`,
    `loads ${amount(orders)} sales orders`,
    `${working.batches} of the 96 looks`,
    `${rows} rows`,
    `measured on ${figures.measured_on} with Node ${figures.node.slice(1)} on an ${figures.processor}`,
    `${working.metrics} different metrics on a working day and ${quiet.metrics} on a quiet one`,
    `An idle sweep of transform asks S3 for ${idle('transform', 's3:ListBucket')} listings`,
    `one of load for ${idle('load', 's3:ListBucket')} listings and ${idle('load', 's3:GetObject')} objects`,
    `The first load leaves ${amount(stored / 2 ** 20)} MB`,
    `a working day ${amount(added / 2 ** 20)} MB in ${amount(objects)} objects`,
    `${amount(storedAfterAYear(figures))} GB after a year`,
  ];
  expect(sentences.filter((sentence) => !text.includes(sentence))).toEqual([]);
});

test('the days were played at the schedules that are the default', () => {
  expect(deployed).toMatchObject({ schedule: 'rate(15 minutes)', sweep: 'rate(5 minutes)', hasBucketKeys: true });
  for (const day of [figures.working_day, figures.quiet_day]) {
    expect(day).toMatchObject({ looks: 96, sweeps_a_stage: 288 });
    expect(day.stages.ingest.invocations).toBe(day.looks);
    expect(day.stages.transform.invocations).toBe(day.sweeps_a_stage + day.batches);
    expect(day.stages.load.invocations).toBe(day.sweeps_a_stage + day.batches);
  }
  expect(figures.quiet_day.batches).toBe(0);
});

/** What docs/COST.md counts with: a working day and a quiet one at the default schedule, counted on moto. */

import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { generateTotesys } from '../../src/local/totesys/generate.ts';
import { STAGES } from '../../src/shared/report.ts';
import { COST_PAGE, tablesOf, withTables } from '../docs/cost-page.ts';
import { readDeployed } from '../docs/deployed.ts';
import { startMoto, type Moto } from '../support/moto.ts';
import { connectTo, freshDatabase } from '../support/postgres.ts';
import { testS3Client } from '../support/s3.ts';
import { rdsSecret, testSecret } from '../support/secrets.ts';
import { findTerraform } from '../terraform/terraform.ts';
import { type Called, Cloud } from './cloud.ts';
import { difference, identityOf, MetricsWithData, stageFigures, storedIn, tally } from './day-counts.ts';
import type { DayFigures, Figures } from './day-figures.ts';
import { SourceDay } from './day-source.ts';
import { deploy, type Deployment } from './deployment.ts';

const FIGURES = new URL('../../docs/cost-day.json', import.meta.url);

const ORDERS = 10_000;
const SEED = 5;
/** The history ends before; so that the same rows are drawn whenever this runs. */
const NOW = new Date('2026-09-01T00:00:00Z');

const HOURS = 24;
/** `rate(5 minutes)`, and every third of them `rate(15 minutes)`. */
const SWEEPS_AN_HOUR = 12;
const SWEEPS_A_LOOK = 3;

const moto = await startMoto();
const surroundings = await findTerraform();

afterAll(async () => moto?.stop());

/** Waits for the second to be over, and says when that was. */
async function nextSecond(): Promise<Date> {
  await delay(1000 - (Date.now() % 1000));
  return new Date(Math.floor(Date.now() / 1000) * 1000);
}

/** One look or sweep after the other, without waiting for the clock. Every hour each function has a cold start. */
async function play(cloud: Cloud, metrics: MetricsWithData, live: (quarter: number) => Promise<void>) {
  const called: Called[] = [];
  const metricHours: string[] = [];
  const identities = new Set<string>();
  for (let hour = 0; hour < HOURS; hour += 1) {
    const from = await nextSecond();
    for (const stage of STAGES) await cloud.freeze(stage);
    for (let sweep = 0; sweep < SWEEPS_AN_HOUR; sweep += 1) {
      if (sweep % SWEEPS_A_LOOK === 0) {
        await live((hour * SWEEPS_AN_HOUR + sweep) / SWEEPS_A_LOOK);
        called.push(...(await cloud.round()));
      }
      called.push(...(await cloud.sweep()));
    }
    const withData = await metrics.between(from, await nextSecond());
    metricHours.push(...withData.map(({ MetricName = '' }) => MetricName));
    for (const metric of withData) identities.add(identityOf(metric));
  }
  return { called, metricHours, identities };
}

async function measure(moto: Moto, deployment: Deployment, cloud: Cloud, live: (quarter: number) => Promise<void>): Promise<DayFigures> {
  const s3 = testS3Client(moto.endpoint);
  const before = await storedIn(s3, deployment.buckets);
  for (const stage of STAGES) cloud.gateways[stage].calls.splice(0);
  const { called, metricHours, identities } = await play(cloud, new MetricsWithData(moto), live);
  const { ingest, transform, load } = cloud.gateways;
  const stages = stageFigures(called, { ingest: [...ingest.calls], transform: [...transform.calls], load: [...load.calls] });
  const after = await storedIn(s3, deployment.buckets);
  expect(called.flatMap(({ error }) => error ?? [])).toEqual([]);
  expect(STAGES.map((stage) => stages[stage].batches)).toEqual(STAGES.map(() => stages.ingest.batches));
  return {
    looks: (HOURS * SWEEPS_AN_HOUR) / SWEEPS_A_LOOK,
    sweeps_a_stage: HOURS * SWEEPS_AN_HOUR,
    batches: stages.ingest.batches,
    stages,
    metric_hours: tally(metricHours),
    metrics: identities.size,
    stored: difference(after.kept, before.kept),
    state: difference(after.state, before.state),
  };
}

function print({ working_day, quiet_day }: Figures): void {
  for (const [name, { stages, metric_hours, metrics, batches, stored }] of Object.entries({ working_day, quiet_day })) {
    console.log(`${name}: ${batches} batches, ${metrics} metrics`, metric_hours, stored);
    console.table(Object.fromEntries(STAGES.map((stage) => {
      const { requests, ...figures } = stages[stage];
      return [stage, { ...figures, ...requests }];
    })));
  }
}

test.runIf(moto && surroundings)('a working day and a quiet one are counted', async () => {
  if (!moto || !surroundings) return;
  const [sourceUrl, warehouseUrl] = [await freshDatabase('source'), await freshDatabase('warehouse')];
  const source = await connectTo(sourceUrl);
  await generateTotesys(source, { orders: ORDERS, seed: SEED, now: NOW });
  const secrets = { source: await testSecret(moto, rdsSecret(sourceUrl)), warehouse: await testSecret(moto, rdsSecret(warehouseUrl)) };
  const deployment = await deploy(moto, surroundings, { source: secrets.source.arn, warehouse: secrets.warehouse.arn });
  const cloud = await Cloud.over(moto, deployment);
  try {
    await cloud.round();
    const { kept } = await storedIn(testS3Client(moto.endpoint), deployment.buckets);
    const day = await SourceDay.next(source, SEED);
    const working = await measure(moto, deployment, cloud, async (quarter) => day.quarter(quarter));
    const quiet = await measure(moto, deployment, cloud, async () => undefined);
    const figures: Figures = {
      measured_on: new Date().toISOString().slice(0, 10),
      node: process.version,
      processor: cpus()[0]?.model ?? 'unknown',
      orders: ORDERS,
      rows_changed: day.changed,
      first_load: { stored: kept },
      working_day: working,
      quiet_day: quiet,
    };
    expect(working.batches).toBeGreaterThan(0);
    expect(quiet.batches).toBe(0);
    print(figures);
    await writeFile(FIGURES, `${JSON.stringify(figures, null, 2)}\n`);
    const page = await readFile(COST_PAGE, 'utf8');
    await writeFile(COST_PAGE, withTables(page, tablesOf(page, figures, await readDeployed())));
  } finally {
    await cloud.stop();
  }
});

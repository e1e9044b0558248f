import type { Stage } from '../../src/shared/report.ts';
import { measureOne } from '../in-turn.ts';
import { type Measured, medians } from '../measured.ts';
import { type Prepared, removeLakes } from '../prepared.ts';
import { type CurvePoint, type Figure, figure, type FigureName, type Scope } from '../scope.ts';
import { intoWarehouse } from './load.ts';

/** What each stage took, in a process of its own. */
type Stages = Readonly<Record<Stage, Measured>>;

/** In parts of the most rows: with 2,000,000 the curve has 100,000, 200,000, 500,000, 1,000,000 and those. */
const CURVE = [1 / 20, 1 / 10, 1 / 4, 1 / 2, 1];

function quarter(rows: number): number {
  return Math.ceil(rows / 4);
}

/** `transform_rss_growth`, `ingest_rss_mb`, `load_rss_mb`: the peak of each stage at all rows, and at a quarter of them. */
export async function memory(scope: Scope): Promise<void> {
  const { prepared, rows, rounds } = scope;
  const [many, few]: [Stages[], Stages[]] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    few.push(await stagesAt(prepared, quarter(rows)));
    many.push(await stagesAt(prepared, rows));
  }
  const [at4, at1] = [mediansOf(many), mediansOf(few)];
  for (const [at, stages] of [[rows, at4], [quarter(rows), at1]] as const) scope.curve.push(pointOf(at, stages));
  const [most, least] = [peakOf(at4.transform), peakOf(at1.transform)];
  scope.tell(figure('transform_rss_growth', { value: most / least, ours: most, yardstick: least, unit: 'MB' }));
  scope.tell(alone('ingest_rss_mb', at4.ingest, at1.ingest));
  scope.tell(alone('load_rss_mb', at4.load, at1.load));
}

function alone(name: FigureName, at4: Measured, at1: Measured): Figure {
  const most = peakOf(at4);
  return figure(name, { value: most, ours: most, yardstick: null, unit: 'MB' }, { at_a_quarter_mb: peakOf(at1) });
}

function peakOf({ peakMb }: Measured): number {
  if (peakMb === null) throw new Error('a stage tells its peak');
  return peakMb;
}

/** The points of the plot that nobody has measured yet, once each; for a rehearsal, those that there are do. */
export async function curve(scope: Scope): Promise<void> {
  const known = new Set(scope.curve.map(({ rows }) => rows));
  for (const rows of scope.rounds === 1 ? [] : CURVE.map((part) => Math.ceil(scope.rows * part))) {
    if (!known.has(rows)) scope.curve.push(pointOf(rows, await stagesAt(scope.prepared, rows)));
  }
}

/** The three stages, one after the other, each in a process of its own, from nothing. */
async function stagesAt(prepared: Prepared, rows: number): Promise<Stages> {
  const { ground } = prepared;
  const sourceUrl = await prepared.source(rows);
  const lakes = await prepared.emptyLakes();
  const job = { model: 'totesys', ...lakes, sourceUrl } as const;
  const ingest = await measureOne(ground, { measure: async () => prepared.run({ ...job, work: 'ingest' }) });
  const transform = await measureOne(ground, { measure: async () => prepared.run({ ...job, work: 'transform' }) });
  const into = await intoWarehouse(prepared, rows, async (warehouseUrl) => prepared.run({ ...job, work: 'load', warehouseUrl }));
  const load = await measureOne(ground, into);
  await removeLakes(lakes);
  return { ingest, transform, load };
}

function mediansOf(all: readonly Stages[]): Stages {
  const of = (stage: Stage): Measured => medians(all.map((stages) => stages[stage]));
  return { ingest: of('ingest'), transform: of('transform'), load: of('load') };
}

function pointOf(rows: number, stages: Stages): CurvePoint {
  const of = (stage: Stage) => ({ seconds: stages[stage].seconds, peak_mb: peakOf(stages[stage]) });
  return { rows, ingest: of('ingest'), transform: of('transform'), load: of('load') };
}

import { join } from 'node:path';
import { type Answer, Child, inOwnProcess } from '../child.ts';
import type { DuckJob } from '../duckdb-process.ts';
import type { Ground } from '../ground.ts';
import { inTurn, type Side } from '../in-turn.ts';
import { type Measured, medians } from '../measured.ts';
import { FACT, TABLE } from '../models.ts';
import { expectRows, firstIngested, firstTransformed, type Prepared, removeLakes } from '../prepared.ts';
import { ratio, type Scope, THREADS } from '../scope.ts';
import type { StageJob } from '../stage-process.ts';

/**
 * `transform_vs_duckdb`: the CSV of `sales_order` to the Parquet of its fact, beside DuckDB on as many threads, both in a
 * process that does it for the second time; and `transform_cold_vs_duckdb`, the first time.
 */
export async function transformVsDuckdb(scope: Scope): Promise<void> {
  const { prepared, rows, rounds } = scope;
  const { ground, programs } = prepared;
  const [ours, theirs] = [new Twice(ground, programs.stage), new Twice(ground, programs.duckdb)];
  const sides = [oursOf(prepared, rows, ours), await duckdbTwice(prepared, rows, theirs)] as const;
  try {
    scope.tell(ratio('transform_vs_duckdb', await inTurn(ground, rounds, ...sides), { threads: THREADS }));
    scope.tell(ratio('transform_cold_vs_duckdb', { ours: ours.first(), yardstick: theirs.first() }, { threads: THREADS }));
  } finally {
    // A process that goes on keeps this one.
    for (const twice of [ours, theirs]) await twice.stop();
  }
}

/** Processes that do a job twice, and what the first time took. */
class Twice {
  readonly #ground: Ground;
  readonly #program: string;
  readonly #firsts: Measured[] = [];
  #child: Child | undefined;

  constructor(ground: Ground, program: string) {
    this.#ground = ground;
    this.#program = program;
  }

  async once(job: object): Promise<Answer> {
    this.#child = await Child.start(this.#program);
    await this.#ground.settle();
    const answer = await this.again(job);
    this.#firsts.push(answer.took);
    return answer;
  }

  async again(job: object): Promise<Answer> {
    if (!this.#child) throw new Error('it was not prepared');
    return this.#child.do(job);
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  first(): Measured {
    return medians(this.#firsts);
  }
}

function oursOf(prepared: Prepared, rows: number, twice: Twice): Side {
  const begin = async (): Promise<StageJob> => {
    const { ingestion } = await prepared.ingested(rows, 'sales_order');
    return { work: 'transform', model: 'sales_order', sourceUrl: '', warehouseUrl: '', ...(await prepared.emptyLakes()), ingestion };
  };
  const end = async (job: StageJob): Promise<void> => {
    expectRows('the fact', (await firstTransformed(job)).outputs[FACT.name]?.rows, rows);
    await removeLakes({ ...job, ingestion: job.processed });
  };
  let job: StageJob | undefined;
  return {
    prepare: async () => {
      const first = await begin();
      await twice.once(first);
      await end(first);
      job = await begin();
    },
    measure: async () => {
      if (!job) throw new Error('it was not prepared');
      const { took } = await twice.again(job);
      await end(job);
      return took;
    },
    check: async () => twice.stop(),
  };
}

async function duckdbTwice(prepared: Prepared, rows: number, twice: Twice): Promise<Side> {
  const job = await duckJob(prepared, rows);
  return {
    prepare: async () => {
      duckdbsOwn(await twice.once(job), rows);
    },
    measure: async () => duckdbsOwn(await twice.again(job), rows),
    check: async () => twice.stop(),
  };
}

/** DuckDB, in a process of its own, its connection open: from the statement to its end. */
export async function byDuckdb(prepared: Prepared, rows: number): Promise<Side> {
  const job = await duckJob(prepared, rows);
  return { measure: async () => duckdbsOwn(await inOwnProcess(prepared.programs.duckdb, job), rows) };
}

function duckdbsOwn({ took, rows: written }: Answer, rows: number): Measured {
  expectRows("DuckDB's file", written ?? undefined, rows);
  return took;
}

async function duckJob(prepared: Prepared, rows: number): Promise<DuckJob> {
  const lakes = await prepared.transformed(rows, 'sales_order');
  const csv = (await firstIngested(lakes)).tables[TABLE.name]?.parts ?? [];
  const [like] = (await firstTransformed(lakes)).outputs[FACT.name]?.parts ?? [];
  if (csv.length === 0 || !like) throw new Error('there is nothing to transform');
  return {
    csv: csv.map(({ key }) => join(lakes.ingestion, key)),
    like: join(lakes.processed, like.key),
    parquet: join(await prepared.ground.folder('duckdb'), 'fact.parquet'),
    threads: THREADS,
  };
}

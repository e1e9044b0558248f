import { mkdir, rename, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { psqlVersion } from './psql.ts';
import { MADE } from './source.ts';
import type { CurvePoint, Figure } from './scope.ts';

/** `bench/results.json`. */
export interface Results {
  readonly figures: readonly Figure[];
  /** Sales orders. */
  readonly rows: number;
  readonly cores: number;
  readonly node: string;
  readonly postgres: string;
  readonly rounds: number;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  readonly processor: string;
  readonly memory_gb: number;
  readonly system: string;
  /** What copies in the yardsticks. */
  readonly copy_client: string;
  /** The share of the processors' time that others had meanwhile; null where the system does not tell. */
  readonly others: number | null;
  readonly data: string;
  /** Of a run of all figures. */
  readonly curve?: readonly CurvePoint[];
}

type Machine = Omit<Results, 'figures' | 'rows' | 'rounds' | 'postgres' | 'others' | 'curve'>;

export function describeMachine(now: Date): Machine {
  return {
    cores: availableParallelism(),
    node: process.version,
    date: now.toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? 'unknown',
    memory_gb: Math.round(totalmem() / 1e9),
    system: `${process.platform} ${process.arch}`,
    copy_client: psqlVersion() ?? 'a minimal client on pg-copy-streams, for want of psql',
    data: MADE,
  };
}

/** Aside first: who is interrupted has what was there before. */
export async function replaceFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(`${path}.new`, content);
  await rename(`${path}.new`, path);
}

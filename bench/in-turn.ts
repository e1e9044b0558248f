import type { Ground } from './ground.ts';
import { type Measured, medians } from './measured.ts';

/** One of the two that are compared. */
export interface Side {
  /** What has to be there before each time; not measured. */
  readonly prepare?: () => Promise<void>;
  readonly measure: () => Promise<Measured>;
  /** That it did what it should, and whatever is to be cleared away; not measured. */
  readonly check?: () => Promise<void>;
}

export interface Compared {
  readonly ours: Measured;
  readonly yardstick: Measured;
}

/** Ours, theirs, ours, theirs …: whatever else the machine does meets both. */
export async function inTurn(ground: Ground, rounds: number, ours: Side, yardstick: Side): Promise<Compared> {
  const [of, theirs] = await allInTurn(ground, rounds, [[ours], [yardstick]]);
  if (!of || !theirs) throw new Error('there are two sides');
  return { ours: of, yardstick: theirs };
}

/** The sides one after the other, round by round: the medians of each. What a side consists of is done in turn, and added up. */
export async function allInTurn(
  ground: Ground,
  rounds: number,
  sides: readonly (readonly Side[])[],
): Promise<readonly Measured[]> {
  const samples = sides.map((): Measured[] => []);
  for (let round = 0; round < rounds; round += 1) {
    for (const [at, side] of sides.entries()) samples[at]?.push(await measureSum(ground, side));
  }
  return samples.map(medians);
}

async function measureSum(ground: Ground, sides: readonly Side[]): Promise<Measured> {
  const each: Measured[] = [];
  for (const side of sides) each.push(await measureOne(ground, side));
  return each.reduce((sum, one) => ({
    seconds: sum.seconds + one.seconds,
    cpu: sum.cpu === null || one.cpu === null ? null : sum.cpu + one.cpu,
    peakMb: sum.peakMb === null || one.peakMb === null ? null : Math.max(sum.peakMb, one.peakMb),
  }));
}

/** With what the server did for it, by the processor. */
export async function measureOne(ground: Ground, { prepare, measure, check }: Side): Promise<Measured> {
  await prepare?.();
  await ground.settle();
  const before = await ground.serverSeconds();
  const took = await measure();
  const after = await ground.serverSeconds();
  await check?.();
  const known = took.cpu !== null && before !== null && after !== null;
  return { ...took, cpu: known ? took.cpu + after - before : null };
}

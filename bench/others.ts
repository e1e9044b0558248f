/** What else the machine did: figures of a busy one are to be taken for what they are. */

import { availableParallelism } from 'node:os';
import { busySeconds, endedChildrenSeconds } from './cpu.ts';
import type { Ground } from './ground.ts';

interface Spent {
  readonly atSeconds: number;
  /** By all, of all processors. */
  readonly busy: number;
  /** By the benchmark: itself, what it started and has ended, its server. */
  readonly own: number | null;
}

export async function spent(ground: Ground): Promise<Spent> {
  const [children, server] = [await endedChildrenSeconds(), await ground.serverSeconds()];
  const { user, system } = process.cpuUsage();
  const own = children === null || server === null ? null : children + server + (user + system) / 1e6;
  return { atSeconds: performance.now() / 1_000, busy: busySeconds(), own };
}

/** The share of the processors' time since then that was somebody else's; null where the system does not tell. */
export async function othersShare(ground: Ground, before: Spent): Promise<number | null> {
  const after = await spent(ground);
  if (before.own === null || after.own === null) return null;
  const whole = (after.atSeconds - before.atSeconds) * availableParallelism();
  return Math.max(0, after.busy - before.busy - (after.own - before.own)) / whole;
}

/** What one run of something took: by the clock, of the processors, of memory. */
export interface Measured {
  readonly seconds: number;
  /** Processor seconds, user and system, of all processes concerned; null where the system does not tell. */
  readonly cpu: number | null;
  /** The most that the process ever had in memory (`ru_maxrss`); null where it is not looked at. */
  readonly peakMb: number | null;
}

const KIB_A_MB = 1_000_000 / 1024;

/** Runs `work` in this process: its own processor time, and its own peak since it began. */
export async function measured(work: () => Promise<unknown>): Promise<Measured> {
  const cpu = process.cpuUsage();
  const from = performance.now();
  await work();
  const seconds = (performance.now() - from) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { seconds, cpu: (user + system) / 1e6, peakMb: process.resourceUsage().maxRSS / KIB_A_MB };
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[Math.floor((sorted.length - 1) / 2)], sorted[Math.ceil((sorted.length - 1) / 2)]];
  if (low === undefined || high === undefined) throw new RangeError('there is no median of nothing');
  return (low + high) / 2;
}

/** The median of each, and null where any of them is. */
export function medians(samples: readonly Measured[]): Measured {
  const of = (name: 'cpu' | 'peakMb'): number | null => {
    const known = samples.flatMap((sample) => sample[name] ?? []);
    return known.length < samples.length ? null : median(known);
  };
  return { seconds: median(samples.map(({ seconds }) => seconds)), cpu: of('cpu'), peakMb: of('peakMb') };
}

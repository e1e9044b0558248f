/** What has been tried, and what came of it. */
export interface Figures {
  readonly points: number;
  readonly runs: number;
  readonly seeds: number;
  readonly lost: number;
  readonly doubled: number;
  readonly outOfOrder: number;
  /** Whatever else was not as it should have been. */
  readonly failures: number;
}

export const NO_FIGURES: Figures = { points: 0, runs: 0, seeds: 0, lost: 0, doubled: 0, outOfOrder: 0, failures: 0 };

export function sum(one: Figures, more: Partial<Figures>): Figures {
  const add = (name: keyof Figures): number => one[name] + (more[name] ?? 0);
  return {
    points: add('points'), runs: add('runs'), seeds: add('seeds'), lost: add('lost'), doubled: add('doubled'),
    outOfOrder: add('outOfOrder'), failures: add('failures'),
  };
}

export function isClean({ lost, doubled, outOfOrder, failures }: Figures): boolean {
  return lost + doubled + outOfOrder + failures === 0;
}

/** The one line that a run ends with. */
export function lineOf({ points, runs, seeds, lost, doubled, outOfOrder, failures }: Figures): string {
  const tried = `${points} fault points, ${runs} runs, ${seeds} seeds`;
  const found = `${lost} rows lost, ${doubled} doubled, ${outOfOrder} out of order`;
  return `${tried}: ${found}${failures === 0 ? '' : `, ${failures} failures`}`;
}

import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';
import type { Figures } from './fuzzing.ts';

/** Adds up what all fuzzers did, and says so in one last line. */
export class FuzzFigures implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[], reason: TestRunEndReason): void {
    const sum = { cases: 0, crashes: errors.length, hangs: 0, differences: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) add(sum, test.meta().fuzzed);
    }
    const { cases, crashes, hangs, differences } = sum;
    process.stdout.write(`${reason === 'passed' ? '' : `${reason}: `}${cases} cases, ${crashes} crashes, ${hangs} hangs, ${differences} differences\n`);
  }
}

function add(sum: { -readonly [K in keyof Figures]: number }, figures: Figures | undefined): void {
  if (!figures) return;
  sum.cases += figures.cases;
  sum.crashes += figures.crashes;
  sum.hangs += figures.hangs;
  sum.differences += figures.differences;
}

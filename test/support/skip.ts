import { spawnSync } from 'node:child_process';

/** What a machine lacks is skipped, loudly; with `STARLING_NO_SKIP=1` that is an error. */
export function skipLoudly(tests: string, reason: string): null {
  if (process.env['STARLING_NO_SKIP'] === '1') throw new Error(`${reason}, and STARLING_NO_SKIP=1 forbids to skip`);
  console.warn(`SKIPPED: ${tests}: ${reason}`);
  return null;
}

/** Whether a program is there for tests that need it. @param asked How it says its version. */
export function hasProgram(program: string, tests: string, asked = '--version'): boolean {
  if (spawnSync(program, [asked]).status === 0) return true;
  skipLoudly(tests, `${program} is not installed`);
  return false;
}

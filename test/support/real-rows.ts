import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The real rows are not part of this repository: `TOTESYS_ROWS` names the directory that holds their schema, the rows,
 * and `load.sh DATABASE_URL`, or it is beside the checkout. Null, loudly, where they are not.
 */
export function findRealRows(): { readonly loadInto: (databaseUrl: string) => void } | null {
  const rows = process.env['TOTESYS_ROWS'] ?? fileURLToPath(new URL('../../../shared/totesys', import.meta.url));
  if (existsSync(`${rows}/load.sh`)) {
    return { loadInto: (databaseUrl) => void execFileSync('bash', [`${rows}/load.sh`, databaseUrl], { stdio: 'ignore' }) };
  }
  const reason = 'the real totesys rows are not here; TOTESYS_ROWS names their directory';
  if (process.env['STARLING_NO_SKIP'] === '1') throw new Error(`${reason}, and STARLING_NO_SKIP=1 forbids to skip`);
  console.warn(`SKIPPED: all tests on real rows: ${reason}`);
  return null;
}

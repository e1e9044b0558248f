import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/**
 * The real rows are not part of this repository: `TOTESYS_ROWS` names the directory that holds their schema, the rows,
 * and `load.sh DATABASE_URL`, or it is beside the checkout. Null, loudly, where they are not, even with `STARLING_NO_SKIP=1`:
 * who has only the repository cannot have them. A `TOTESYS_ROWS` that leads nowhere is an error.
 */
export function findRealRows(): { readonly loadInto: (databaseUrl: string) => void } | null {
  const rows = process.env['TOTESYS_ROWS'] ?? fileURLToPath(new URL('../../../shared/totesys', import.meta.url));
  if (existsSync(`${rows}/load.sh`)) {
    return { loadInto: (databaseUrl) => void execFileSync('bash', [`${rows}/load.sh`, databaseUrl], { stdio: 'ignore' }) };
  }
  if (process.env['TOTESYS_ROWS'] !== undefined) throw new Error(`TOTESYS_ROWS: there is no load.sh in ${rows}`);
  console.warn('SKIPPED: all tests on real rows: these are not here; TOTESYS_ROWS names their directory');
  return null;
}

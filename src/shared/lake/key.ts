import { PipelineError } from '../errors.ts';

/**
 * A segment of a key: never `.` or `..`, and nothing hidden, so that a directory can keep its own affairs in a hidden
 * folder. 255 bytes is what file systems allow a name, 1,024 what S3 allows a key.
 */
const SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/;
const KEY_MAX_BYTES = 1024;
const LOG_KEY = /^log\/(\d{20})\.json$/;

export const LOG_PREFIX = 'log/';
export const SKIP_PREFIX = 'skip/';
export const SPLIT_PREFIX = 'split/';

export function isKey(key: string): boolean {
  return key.length <= KEY_MAX_BYTES && key.split('/').every((segment) => SEGMENT.test(segment));
}

/**
 * Refuses a key that no builder here could have made. The only keys from outside are those that a log entry names, so
 * the entry is at fault: `lake_corrupt`. The key is not quoted: it may hold anything.
 */
export function checkKey(key: string): void {
  if (!isKey(key)) throw new PipelineError('lake_corrupt', 'an object key is not one that Starling writes');
}

/** A prefix to list: empty, or a key cut off anywhere. `lake_corrupt`, like `checkKey`. */
export function checkPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix.endsWith('/') ? prefix.slice(0, -1) : prefix);
}

/** `log/<20 digits>.json`: fixed width, so that byte order is batch order. */
export function logKey(batch: number): string {
  return `${LOG_PREFIX}${batchSegment(batch)}.json`;
}

/** The batch of a log entry's key; null for any other key. */
export function batchOfLogKey(key: string): number | null {
  const batch = Number(LOG_KEY.exec(key)?.[1]);
  return Number.isSafeInteger(batch) && batch > 0 ? batch : null;
}

/** `data/<table>/<20-digit batch>/<attempt>/part-<n>.<extension>`; any PostgreSQL identifier will do as `table`. */
export function dataKey(
  table: string, batch: number, attempt: string, part: number, extension: 'csv' | 'parquet',
): string {
  return partKey('data', table, batch, attempt, part, extension);
}

/** `mirror/<table>/<20-digit batch>/<attempt>/part-<n>.parquet` */
export function mirrorKey(table: string, batch: number, attempt: string, part: number): string {
  return partKey('mirror', table, batch, attempt, part, 'parquet');
}

const PART = /\/part-(\d{1,15})\.(?:csv|parquet)$/;

/** Whether a key is the one of a part that this attempt at this batch wrote of this table. */
export function isDataKey(
  key: string, table: string, batch: number, attempt: string, extension: 'csv' | 'parquet',
): boolean {
  return Number.isSafeInteger(batch) && batch >= 1 && isMade(key, (part) => dataKey(table, batch, attempt, part, extension));
}

/** The same for a mirror; those of earlier batches are named by later entries, too. */
export function isMirrorKey(key: string, table: string, batch: number, attempt: string): boolean {
  const [, , segment = '', by = ''] = key.split('/');
  const made = /^\d{20}$/.test(segment) ? Number(segment) : Number.NaN;
  if (!Number.isSafeInteger(made) || made < 1 || made > batch || (made === batch && by !== attempt)) return false;
  return isMade(key, (part) => mirrorKey(table, made, by, part));
}

/** Of what a table cannot be called there are no keys. */
function isMade(key: string, make: (part: number) => string): boolean {
  const part = PART.exec(key)?.[1];
  try {
    return part !== undefined && make(Number(part)) === key;
  } catch (error) {
    if (error instanceof PipelineError) return false;
    throw error;
  }
}

/** What an attempt at a batch has written of a table is below these. */
export function attemptPrefixes(table: string, batch: number, attempt: string): readonly string[] {
  return ['data', 'mirror'].map((root) => `${attemptFolder(root, table, batch, attempt)}/`);
}

/** `skip/<20 digits>/<attempt>/<table>`: what an operator gave up on of the batch that this attempt of ingest committed. */
export function skipKey(batch: number, attempt: string, table: string): string {
  const key = `${SKIP_PREFIX}${batchSegment(batch)}/${attempt}/${tableSegment(table)}`;
  checkKey(key);
  return key;
}

/** The batch of such a key; null for any other key. */
export function batchOfSkipKey(key: string): number | null {
  const batch = Number(/^skip\/(\d{20})\//.exec(key)?.[1]);
  return Number.isSafeInteger(batch) && batch > 0 ? batch : null;
}

export function isSkipKeyOf(key: string, table: string): boolean {
  return key.startsWith(SKIP_PREFIX) && key.endsWith(`/${tableSegment(table)}`);
}

/** Below it is all that is known of the attempts to do this batch in ranges. */
export function splitPrefix(batch: number): string {
  return `${SPLIT_PREFIX}${batchSegment(batch)}/`;
}

/** `split/<20 digits>/<attempt>/plan.json`, `…/range-<n>.json`, `…/void.json` */
export function splitKey(batch: number, attempt: string, what: 'plan' | 'void' | number): string {
  const name = typeof what === 'number' ? `range-${wholeNumber(what, 0)}` : what;
  const key = `${splitPrefix(batch)}${attempt}/${name}.json`;
  checkKey(key);
  return key;
}

export function stateKey(stage: string): string {
  const key = `state/${stage}.json`;
  checkKey(key);
  return key;
}

function partKey(
  root: string, table: string, batch: number, attempt: string, part: number, extension: string,
): string {
  const key = `${attemptFolder(root, table, batch, attempt)}/part-${wholeNumber(part, 0)}.${extension}`;
  checkKey(key);
  return key;
}

function attemptFolder(root: string, table: string, batch: number, attempt: string): string {
  return `${root}/${tableSegment(table)}/${batchSegment(batch)}/${attempt}`;
}

function batchSegment(batch: number): string {
  return String(wholeNumber(batch, 1)).padStart(20, '0');
}

function wholeNumber(value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least) throw new RangeError(`not a whole number of at least ${least}`);
  return value;
}

/**
 * Plain names stay as they are; every other byte of the UTF-8 becomes `-` and two hexadecimal digits (`order items`:
 * `order-20items`), the `-` itself included, so no two names meet. Capitals are not plain: on a file system that
 * ignores case, `Staff` and `staff` would share a folder.
 */
function tableSegment(table: string): string {
  const bytes = Buffer.from(table, 'utf8');
  // A lone surrogate has no UTF-8: it would become the same replacement character as any other.
  if (table === '' || bytes.toString('utf8') !== table) {
    throw new PipelineError('model', 'a table name is empty or not valid Unicode');
  }
  return Array.from(bytes, byteInSegment).join('');
}

function byteInSegment(byte: number): string {
  const character = String.fromCharCode(byte);
  return /[a-z0-9_]/.test(character) ? character : `-${byte.toString(16).padStart(2, '0')}`;
}

import { PipelineError } from '../errors.ts';
import type { Side } from '../postgres/errors.ts';
import { type DatabasePlace, readDatabaseUrl } from './secret.ts';

/** About as long as one call of a function that has little to do. */
const KEPT_MS = 60_000;

/**
 * How to log in to a database. A secret is read anew for each call of a function: whatever was changed in it, host and
 * database included, holds for all containers from then on. And once more within a call where the login is refused: so
 * a rotation in the middle of it is no failure.
 */
export class Login {
  readonly #side: Side;
  readonly #place: DatabasePlace;
  readonly #keptMs: number;
  #url: string | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(side: Side, place: DatabasePlace, keptMs = KEPT_MS) {
    this.#side = side;
    this.#place = place;
    this.#keptMs = keptMs;
  }

  /** Does `work`, and once more where its login was refused and the secret says something else by now. */
  async use<T>(work: (url: string) => Promise<T>): Promise<T> {
    const used = await this.#current();
    try {
      return await work(used);
    } catch (error) {
      if (!isRefused(error) || this.#place.secretArn === null) throw error;
      const url = await this.#read();
      if (url === used) throw error;
      return work(url);
    }
  }

  async #current(): Promise<string> {
    const isFresh = performance.now() - this.#readAtMs < this.#keptMs;
    return this.#url !== undefined && isFresh ? this.#url : this.#read();
  }

  async #read(): Promise<string> {
    const url = await readDatabaseUrl(this.#side, this.#place);
    [this.#url, this.#readAtMs] = [url, performance.now()];
    return url;
  }
}

/** Class 28 is PostgreSQL's, 08P01 pgbouncer's. A right that lacks (42501) is no login. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof PipelineError)) return false;
  const { kind, context } = error;
  const isDenied = kind === 'source_denied' || kind === 'warehouse_denied';
  return isDenied && /^(28|08P01)/.test(context.sqlstate ?? '28');
}

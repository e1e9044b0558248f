import { PipelineError } from '../errors.ts';
import type { Side } from '../postgres/errors.ts';
import { type DatabasePlace, readDatabaseUrl } from './secret.ts';

/**
 * How to log in to a database. A secret is read once and kept, and read again when a login is refused: after a rotation
 * the next attempt has the new password, without a deploy.
 */
export class Login {
  readonly #side: Side;
  readonly #place: DatabasePlace;
  #url: string | undefined;

  constructor(side: Side, place: DatabasePlace) {
    this.#side = side;
    this.#place = place;
  }

  /** Does `work`, and once more where its login was refused and the secret says something else by now. */
  async use<T>(work: (url: string) => Promise<T>): Promise<T> {
    this.#url ??= await readDatabaseUrl(this.#side, this.#place);
    try {
      return await work(this.#url);
    } catch (error) {
      if (!isRefused(error) || this.#place.secretArn === null) throw error;
      const used = this.#url;
      this.#url = await readDatabaseUrl(this.#side, this.#place);
      if (this.#url === used) throw error;
      return work(this.#url);
    }
  }
}

/** Class 28 is PostgreSQL's, 08P01 pgbouncer's. A right that lacks (42501) is no login. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof PipelineError)) return false;
  const { kind, context } = error;
  const isDenied = kind === 'source_denied' || kind === 'warehouse_denied';
  return isDenied && /^(28|08P01)/.test(context.sqlstate ?? '28');
}

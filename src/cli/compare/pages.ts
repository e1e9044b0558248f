import type pg from 'pg';
import { fromPostgres, type Side } from '../../shared/postgres/errors.ts';
import { identifier } from '../../shared/postgres/sql.ts';
import type { TypeKind } from '../../shared/types/type.ts';

export type TextRow = Readonly<Record<string, string | null>>;

const PAGE_ROWS = 10_000;

/** Rows to go through, in the order of their key. */
export interface Pages {
  readonly side: Side;
  readonly client: pg.Client;
  /** The table that an error is told of. */
  readonly table: string;
  readonly query: string;
  readonly key: string;
  readonly kind: TypeKind;
}

/** A page in memory at a time; text keys in byte order, whatever the locale. */
export async function* inKeyOrder({ side, client, table, query, key, kind }: Pages): AsyncGenerator<TextRow> {
  const order = kind === 'text' ? `r.${identifier(key)} collate "C"` : `r.${identifier(key)}::bigint`;
  try {
    await client.query('begin isolation level repeatable read read only');
    await client.query(`declare pages no scroll cursor for select * from (${query}) r order by ${order}`);
    for (;;) {
      const { rows } = await client.query<Record<string, string | null>>(`fetch ${PAGE_ROWS} from pages`);
      yield* rows;
      if (rows.length < PAGE_ROWS) break;
    }
    await client.query('commit');
  } catch (error) {
    throw fromPostgres(side, error, { table });
  }
}

/** Which of two keys comes first: negative, zero or positive. */
export function compareKeys(a: string, b: string, kind: TypeKind): number {
  if (kind === 'text') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : Number(left > right);
}

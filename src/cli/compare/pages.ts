import type pg from 'pg';
import { identifier } from '../../shared/postgres/sql.ts';
import type { TypeKind } from '../../shared/types/type.ts';

export type TextRow = Readonly<Record<string, string | null>>;

const PAGE_ROWS = 10_000;

/** The rows of a query in the order of their key, a page in memory at a time; text keys in byte order, whatever the locale. */
export async function* inKeyOrder(client: pg.Client, query: string, key: string, kind: TypeKind): AsyncGenerator<TextRow> {
  const order = kind === 'text' ? `r.${identifier(key)} collate "C"` : `r.${identifier(key)}::bigint`;
  await client.query('begin isolation level repeatable read read only');
  await client.query(`declare pages no scroll cursor for select * from (${query}) r order by ${order}`);
  for (;;) {
    const { rows } = await client.query<Record<string, string | null>>(`fetch ${PAGE_ROWS} from pages`);
    yield* rows;
    if (rows.length < PAGE_ROWS) break;
  }
  await client.query('commit');
}

/** Which of two keys comes first: negative, zero or positive. */
export function compareKeys(a: string, b: string, kind: TypeKind): number {
  if (kind === 'text') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : Number(left > right);
}

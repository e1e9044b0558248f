import type pg from 'pg';
import { dimDate } from '../../shared/model/dimension.ts';
import type { Model } from '../../shared/model/model.ts';
import { fromPostgres, type Side } from '../../shared/postgres/errors.ts';
import { identifier, qualified } from '../../shared/postgres/sql.ts';
import type { Comparison } from './compare.ts';
import type { TextRow } from './pages.ts';

/**
 * Compares the calendar with JavaScript's own, for the days that the source's facts refer to now. Days of earlier versions
 * stay in it, so that none is ever too many. Days that are none, or that `Date` cannot spell, are left out: quarantine
 * has the first.
 */
export async function compareCalendar(
  model: Model,
  source: { readonly client: pg.Client; readonly schema: string },
  warehouse: { readonly client: pg.Client; readonly schema: string },
): Promise<Comparison> {
  const days = await daysOf(model, source.client, source.schema);
  const table = qualified(warehouse.schema, dimDate.name);
  const rows = await read('warehouse', warehouse.client, `select ${COLUMNS.join(', ')} from ${table}`);
  const known = new Map(rows.map((row) => [row['date_id'], row]));
  const columns = new Set<string>();
  let [same, different, missing] = [0, 0, 0];
  for (const day of days) {
    const row = known.get(day);
    const wrong = row ? COLUMNS.filter((_, at) => Object.values(row)[at] !== calendarDay(day)[at]) : [];
    for (const name of wrong) columns.add(name.replace('::text', ''));
    if (!row) missing += 1;
    else if (wrong.length > 0) different += 1;
    else same += 1;
  }
  return { table: dimDate.name, same, different, columns: [...columns], missing, extra: 0 };
}

const COLUMNS = ['date_id::text', 'year', 'month', 'day', 'day_of_week', 'day_name', 'month_name', 'quarter'];

async function daysOf(model: Model, client: pg.Client, schema: string): Promise<ReadonlySet<string>> {
  const days = new Set<string>();
  for (const fact of model.facts) {
    for (const { origin, references } of fact.columns) {
      if (references !== dimDate.name) continue;
      const column = identifier(origin.column);
      const day = origin.kind === 'date_part' ? `${column}::date::text` : `${column}::text`;
      const rows = await read('source', client, `select distinct ${day} as day from ${qualified(schema, fact.source)}`);
      for (const row of rows) if (isDay(row['day'])) days.add(row['day']);
    }
  }
  return days;
}

async function read(side: Side, client: pg.Client, query: string): Promise<readonly TextRow[]> {
  try {
    return (await client.query<Record<string, string | null>>(query)).rows;
  } catch (error) {
    throw fromPostgres(side, error);
  }
}

function isDay(text: string | null | undefined): text is string {
  if (text === null || text === undefined || !/^\d{4}-\d\d-\d\d$/.test(text)) return false;
  const at = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(text) && !text.startsWith('0000');
}

/** The row of a day, in the order of `COLUMNS`. */
function calendarDay(day: string): readonly string[] {
  const at = new Date(`${day}T00:00:00Z`);
  const [month, weekday] = [at.getUTCMonth() + 1, at.getUTCDay()];
  const name = (part: 'weekday' | 'month') => at.toLocaleDateString('en-GB', { [part]: 'long', timeZone: 'UTC' });
  const numbers = [at.getUTCFullYear(), month, at.getUTCDate(), weekday === 0 ? 7 : weekday].map(String);
  return [day, ...numbers, name('weekday'), name('month'), String(Math.ceil(month / 3))];
}

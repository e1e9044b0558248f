/** A small model: people in teams, and what they sold. */

import { boolean, int, numeric, text, timestamp } from '../../src/shared/model/column.ts';
import { dimDate, dimension } from '../../src/shared/model/dimension.ts';
import { column, datePart, key, lookup, timePart } from '../../src/shared/model/expression.ts';
import { fact } from '../../src/shared/model/fact.ts';
import { model } from '../../src/shared/model/model.ts';
import { table } from '../../src/shared/model/table.ts';

export const team = table('team', {
  team_id: int().key(),
  name: text(),
  city: text().nullable(),
  motto: text().nullable(),
});
export const person = table('person', {
  person_id: int().key(),
  name: text(),
  team_id: int().nullable(),
  secret: text(),
});
export const sale = table('sale', {
  sale_id: int().key(),
  person_id: int(),
  price: numeric(),
  paid: boolean().nullable(),
  sold_at: timestamp(),
});

export const dimTeam = dimension('dim_team', team, { team_id: key(), name: column() });

export const dimPerson = dimension('dim_person', person, {
  person_id: key(),
  name: column(),
  team_name: lookup('team_id', team, 'name'),
  team_city: lookup('team_id', team, 'city'),
});

export const factSale = fact(
  'fact_sale',
  sale,
  { recordKey: 'sale_record_id', createdAt: 'sold_at' },
  {
    sale_id: key(),
    person_id: column().references(dimPerson),
    price: column().as(numeric(10, 2)),
    paid: column(),
    sold_date: datePart('sold_at').references(dimDate),
    sold_time: timePart('sold_at'),
  },
);

export const teams = model({ tables: [team, person, sale], dimensions: [dimTeam, dimPerson], facts: [factSale] });

/** The same, with the motto in the dimension of teams, and of people. */
export const teamsWithMotto = model({
  tables: [team, person, sale],
  dimensions: [
    dimension('dim_team', team, { team_id: key(), name: column(), motto: column() }),
    dimension('dim_person', person, { person_id: key(), name: column(), team_motto: lookup('team_id', team, 'motto') }),
  ],
  facts: [factSale],
});

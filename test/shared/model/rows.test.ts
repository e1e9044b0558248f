import { describe, expectTypeOf, it } from 'vitest';
import {
  boolean,
  bigint,
  date,
  double,
  int,
  numeric,
  text,
  time,
  timestamp,
  timestamptz,
} from '../../../src/shared/model/column.ts';
import { dimension, type OutputRow } from '../../../src/shared/model/dimension.ts';
import {
  column,
  currencyName,
  date as dateOf,
  datePart,
  key,
  lookup,
  timePart,
} from '../../../src/shared/model/expression.ts';
import { fact } from '../../../src/shared/model/fact.ts';
import { type Row, table } from '../../../src/shared/model/table.ts';
import type { dimCounterparty, dimCurrency, dimStaff } from '../../../src/models/totesys/dimensions.ts';
import type { factSalesOrder } from '../../../src/models/totesys/sales.ts';
import { address, staff } from '../../../src/models/totesys/source.ts';

const everything = table('everything', {
  id: bigint().key(),
  whole: int(),
  ratio: double().nullable(),
  words: text(),
  truth: boolean().nullable(),
  price: numeric(10, 2),
  amount: numeric().nullable(),
  day: date(),
  clock: time(),
  naive: timestamp(),
  instant: timestamptz().nullable(),
});

describe('the row of a table', () => {
  it('has the cell of every column, null where it may be null', () => {
    expectTypeOf<Row<typeof everything>>().toEqualTypeOf<{
      readonly id: bigint;
      readonly whole: number;
      readonly ratio: number | null;
      readonly words: string;
      readonly truth: boolean | null;
      readonly price: string;
      readonly amount: string | null;
      readonly day: number;
      readonly clock: number;
      readonly naive: bigint;
      readonly instant: bigint | null;
    }>();
  });

  it('is inferred for totesys', () => {
    expectTypeOf<Row<typeof staff>>().toEqualTypeOf<{
      readonly staff_id: number;
      readonly first_name: string;
      readonly last_name: string;
      readonly department_id: number;
      readonly email_address: string;
      readonly created_at: bigint;
      readonly last_updated: bigint;
    }>();
    expectTypeOf<Row<typeof address>['district']>().toEqualTypeOf<string | null>();
  });
});

describe('the row of a dimension or fact', () => {
  it('is inferred through columns and lookups', () => {
    expectTypeOf<OutputRow<typeof dimStaff>>().toEqualTypeOf<{
      readonly staff_id: number;
      readonly first_name: string;
      readonly last_name: string;
      readonly department_name: string;
      readonly location: string | null;
      readonly email_address: string;
    }>();
    expectTypeOf<OutputRow<typeof dimCurrency>['currency_name']>().toEqualTypeOf<string>();
    expectTypeOf<OutputRow<typeof dimCounterparty>['counterparty_legal_district']>().toEqualTypeOf<string | null>();
  });

  it('has the type that a column is turned into, and the parts of times', () => {
    expectTypeOf<OutputRow<typeof factSalesOrder>>().toExtend<{
      readonly sales_order_id: number;
      readonly created_date: number;
      readonly created_time: number;
      readonly sales_staff_id: number;
      readonly unit_price: string;
      readonly agreed_payment_date: number;
    }>();
    const shown = dimension('dim_shown', everything, {
      id: key(),
      as_text: column('whole').as(text()),
      renamed: column('words'),
    });
    expectTypeOf<OutputRow<typeof shown>>().toEqualTypeOf<{
      readonly id: bigint;
      readonly as_text: string;
      readonly renamed: string;
    }>();
  });
});

/** Compiled, never called. */
function never(): void {
  // @ts-expect-error it is not a column of staff
  dimension('dim_x', staff, { staff_id: key(), nickname: column() });
  // @ts-expect-error it is not a column of staff
  dimension('dim_x', staff, { staff_id: key(), name: column('nickname') });
  // @ts-expect-error it is not a column of staff
  dimension('dim_x', staff, { id: key() });
  // @ts-expect-error it is not a column of staff
  dimension('dim_x', staff, { staff_id: key(), city: lookup('address_id', address, 'city') });
  // @ts-expect-error it is not a column of address
  dimension('dim_x', staff, { staff_id: key(), town: lookup('department_id', address, 'town') });
  // @ts-expect-error they are not columns of staff
  dimension('dim_x', staff, { staff_id: key(), day: datePart('hired_at') });
  // @ts-expect-error they are not columns of staff
  fact('fact_x', staff, { recordKey: 'x' }, { staff_id: key(), clock: timePart('hired_at') });
  // @ts-expect-error they are not columns of staff
  fact('fact_x', staff, { recordKey: 'x' }, { staff_id: key(), day: dateOf('hired_on') });
  // @ts-expect-error they are not columns of staff
  fact('fact_x', staff, { recordKey: 'x' }, { staff_id: key(), money: currencyName('currency') });
  // @ts-expect-error it is not a column of staff
  fact('fact_x', staff, { recordKey: 'x', createdAt: 'born_at' }, { staff_id: key() });
}

describe('a column that is not there', () => {
  it('does not compile', () => {
    expectTypeOf(never).toBeFunction();
  });
});

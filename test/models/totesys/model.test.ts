import { describe, expect, test } from 'vitest';
import { totesys } from '../../../src/models/totesys/model.ts';
import type { OutputColumn } from '../../../src/shared/model/expression.ts';
import { typeName } from '../../../src/shared/types/codecs.ts';

/** As DDL: `name type`, ` null` where it may be, ` -> dimension` where it refers to one. */
function described({ name, type, nullable, references }: OutputColumn): string {
  return `${name} ${typeName(type)}${nullable ? ' null' : ''}${references === null ? '' : ` -> ${references}`}`;
}

function columnsOf(output: string): readonly string[] {
  const spec = [...totesys.dimensions, ...totesys.facts].find(({ name }) => name === output);
  return spec?.columns.map(described) ?? [];
}

const stamps = [
  'created_date date -> dim_date',
  'created_time time',
  'last_updated_date date -> dim_date',
  'last_updated_time time',
];

describe('the dimensions of totesys', () => {
  const dimensions: Readonly<Record<string, readonly string[]>> = {
    dim_staff: [
      'staff_id int',
      'first_name text',
      'last_name text',
      'department_name text',
      'location text null',
      'email_address text',
    ],
    dim_location: [
      'location_id int',
      'address_line_1 text',
      'address_line_2 text null',
      'district text null',
      'city text',
      'postal_code text',
      'country text',
      'phone text',
    ],
    dim_currency: ['currency_id int', 'currency_code text', 'currency_name text'],
    dim_design: ['design_id int', 'design_name text', 'file_location text', 'file_name text'],
    dim_counterparty: [
      'counterparty_id int',
      'counterparty_legal_name text',
      'counterparty_legal_address_line_1 text',
      'counterparty_legal_address_line_2 text null',
      'counterparty_legal_district text null',
      'counterparty_legal_city text',
      'counterparty_legal_postal_code text',
      'counterparty_legal_country text',
      'counterparty_legal_phone_number text',
    ],
    dim_payment_type: ['payment_type_id int', 'payment_type_name text'],
    dim_transaction: [
      'transaction_id int',
      'transaction_type text',
      'sales_order_id int null',
      'purchase_order_id int null',
    ],
  };

  test('are these', () => {
    expect(totesys.dimensions.map(({ name }) => name).toSorted()).toEqual(Object.keys(dimensions).toSorted());
  });

  test.each(Object.entries(dimensions))('%s has exactly its columns, its key first', (name, columns) => {
    expect(columnsOf(name)).toEqual(columns);
    const spec = totesys.dimensions.find((dimension) => dimension.name === name);
    expect(spec?.columns.map(({ key }) => key)).toEqual(columns.map((_, at) => at === 0));
  });
});

describe('the facts of totesys', () => {
  const facts: Readonly<Record<string, readonly string[]>> = {
    fact_sales_order: [
      'sales_order_id int',
      ...stamps,
      'sales_staff_id int -> dim_staff',
      'counterparty_id int -> dim_counterparty',
      'units_sold int',
      'unit_price numeric(10,2)',
      'currency_id int -> dim_currency',
      'design_id int -> dim_design',
      'agreed_payment_date date -> dim_date',
      'agreed_delivery_date date -> dim_date',
      'agreed_delivery_location_id int -> dim_location',
    ],
    fact_purchase_order: [
      'purchase_order_id int',
      ...stamps,
      'staff_id int -> dim_staff',
      'counterparty_id int -> dim_counterparty',
      'item_code text',
      'item_quantity int',
      'item_unit_price numeric(10,2)',
      'currency_id int -> dim_currency',
      'agreed_delivery_date date -> dim_date',
      'agreed_payment_date date -> dim_date',
      'agreed_delivery_location_id int -> dim_location',
    ],
    fact_payment: [
      'payment_id int',
      ...stamps,
      'transaction_id int -> dim_transaction',
      'counterparty_id int -> dim_counterparty',
      'payment_amount numeric(10,2)',
      'currency_id int -> dim_currency',
      'payment_type_id int -> dim_payment_type',
      'paid boolean',
      'payment_date date -> dim_date',
    ],
  };

  test.each(Object.entries(facts))('%s has exactly its columns', (name, columns) => {
    expect(columnsOf(name)).toEqual(columns);
  });

  test('are numbered by their record keys, and know when a row came to be and when it changed', () => {
    expect(
      totesys.facts.map(({ name, recordKey, key, createdAt, lastUpdated }) => [
        name,
        recordKey,
        key,
        createdAt,
        lastUpdated,
      ]),
    ).toEqual([
      ['fact_sales_order', 'sales_record_id', 'sales_order_id', 'created_at', 'last_updated'],
      ['fact_purchase_order', 'purchase_record_id', 'purchase_order_id', 'created_at', 'last_updated'],
      ['fact_payment', 'payment_record_id', 'payment_id', 'created_at', 'last_updated'],
    ]);
  });
});

test('all eleven tables of totesys are followed by transaction id', () => {
  expect(totesys.tables.map(({ name }) => name).toSorted()).toEqual([
    'address',
    'counterparty',
    'currency',
    'department',
    'design',
    'payment',
    'payment_type',
    'purchase_order',
    'sales_order',
    'staff',
    'transaction',
  ]);
  expect(new Set(totesys.tables.map(({ strategy }) => strategy.kind))).toEqual(new Set(['xmin']));
});

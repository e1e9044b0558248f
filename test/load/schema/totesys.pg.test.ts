import { describe, expect, test } from 'vitest';
import { totesys } from '../../../src/models/totesys/model.ts';
import { otherServers, ownServer } from '../../support/postgres.ts';
import { freshWarehouse, type Warehouse } from '../warehouse.ts';

/** `name type, …` */
function columnsOf(text: string): Readonly<Record<string, string>> {
  const words = text.split(',').map((column) => column.trim().split(' '));
  return Object.fromEntries(words.map(([name = '', ...type]) => [name, TYPES.get(type.join(' ')) ?? type.join(' ')]));
}

const TYPES = new Map([
  ['int', 'integer'],
  ['text', 'character varying'],
  ['time', 'time without time zone'],
  ['timestamptz', 'timestamp with time zone'],
  ['money', 'numeric(10,2)'],
  ['string', 'text'],
]);

const STAMPED = 'created_date date, created_time time, last_updated_date date, last_updated_time time';

const SALES = `
  sales_order_id int, ${STAMPED}, sales_staff_id int, counterparty_id int, units_sold int, unit_price money,
  currency_id int, design_id int, agreed_payment_date date, agreed_delivery_date date,
  agreed_delivery_location_id int, batch_id bigint`;

const PURCHASES = `
  purchase_order_id int, ${STAMPED}, staff_id int, counterparty_id int, item_code text, item_quantity int,
  item_unit_price money, currency_id int, agreed_delivery_date date, agreed_payment_date date,
  agreed_delivery_location_id int, batch_id bigint`;

const PAYMENTS = `
  payment_id int, ${STAMPED}, transaction_id int, counterparty_id int, payment_amount money, currency_id int,
  payment_type_id int, paid boolean, payment_date date, batch_id bigint`;

const ADDED = `version bigint, valid_from timestamptz, valid_to timestamptz, is_current boolean,
  recorded_at timestamptz, changed_columns text[]`;

/** In the order of their names. */
const RELATIONS: readonly (readonly [string, string])[] = [
  ['current_payment', PAYMENTS],
  ['current_purchase_order', PURCHASES],
  ['current_sales_order', SALES],
  [
    'dim_counterparty',
    `counterparty_id int, counterparty_legal_name text, counterparty_legal_address_line_1 text,
      counterparty_legal_address_line_2 text, counterparty_legal_district text, counterparty_legal_city text,
      counterparty_legal_postal_code text, counterparty_legal_country text, counterparty_legal_phone_number text`,
  ],
  ['dim_currency', 'currency_id int, currency_code text, currency_name text'],
  [
    'dim_date',
    `date_id date, year int, month int, day int, day_of_week int, day_name text, month_name text, quarter int`,
  ],
  ['dim_design', 'design_id int, design_name text, file_location text, file_name text'],
  [
    'dim_location',
    `location_id int, address_line_1 text, address_line_2 text, district text, city text, postal_code text,
      country text, phone text`,
  ],
  ['dim_payment_type', 'payment_type_id int, payment_type_name text'],
  [
    'dim_staff',
    'staff_id int, first_name text, last_name text, department_name text, location text, email_address text',
  ],
  ['dim_transaction', 'transaction_id int, transaction_type text, sales_order_id int, purchase_order_id int'],
  ['fact_payment', `payment_record_id bigint, ${PAYMENTS}`],
  ['fact_purchase_order', `purchase_record_id bigint, ${PURCHASES}`],
  ['fact_sales_order', `sales_record_id bigint, ${SALES}`],
  ['history_payment', `payment_record_id bigint, ${PAYMENTS}, ${ADDED}`],
  ['history_purchase_order', `purchase_record_id bigint, ${PURCHASES}, ${ADDED}`],
  ['history_sales_order', `sales_record_id bigint, ${SALES}, ${ADDED}`],
];

const NULLABLE = [
  'dim_counterparty.counterparty_legal_address_line_2',
  'dim_counterparty.counterparty_legal_district',
  'dim_location.address_line_2',
  'dim_location.district',
  'dim_staff.location',
  'dim_transaction.purchase_order_id',
  'dim_transaction.sales_order_id',
];

const KEYS = [
  'current_payment PRIMARY KEY (payment_id)',
  'current_purchase_order PRIMARY KEY (purchase_order_id)',
  'current_sales_order PRIMARY KEY (sales_order_id)',
  'dim_counterparty PRIMARY KEY (counterparty_id)',
  'dim_currency PRIMARY KEY (currency_id)',
  'dim_date PRIMARY KEY (date_id)',
  'dim_design PRIMARY KEY (design_id)',
  'dim_location PRIMARY KEY (location_id)',
  'dim_payment_type PRIMARY KEY (payment_type_id)',
  'dim_staff PRIMARY KEY (staff_id)',
  'dim_transaction PRIMARY KEY (transaction_id)',
  'fact_payment PRIMARY KEY (payment_record_id)',
  'fact_payment UNIQUE (payment_id, batch_id)',
  'fact_purchase_order PRIMARY KEY (purchase_record_id)',
  'fact_purchase_order UNIQUE (purchase_order_id, batch_id)',
  'fact_sales_order PRIMARY KEY (sales_record_id)',
  'fact_sales_order UNIQUE (sales_order_id, batch_id)',
];

const dates = (...columns: readonly string[]) => columns.map((name) => `(${name}) REFERENCES dim_date(date_id)`);
const STAMPS = dates('created_date', 'last_updated_date');
const COMMON = [
  '(counterparty_id) REFERENCES dim_counterparty(counterparty_id)',
  '(currency_id) REFERENCES dim_currency(currency_id)',
];
const ORDERS = [
  ...STAMPS,
  ...COMMON,
  ...dates('agreed_delivery_date', 'agreed_payment_date'),
  '(agreed_delivery_location_id) REFERENCES dim_location(location_id)',
];

const REFERENCES = {
  sales_order: [
    ...ORDERS,
    '(design_id) REFERENCES dim_design(design_id)',
    '(sales_staff_id) REFERENCES dim_staff(staff_id)',
  ],
  purchase_order: [...ORDERS, '(staff_id) REFERENCES dim_staff(staff_id)'],
  payment: [
    ...STAMPS,
    ...COMMON,
    ...dates('payment_date'),
    '(payment_type_id) REFERENCES dim_payment_type(payment_type_id)',
    '(transaction_id) REFERENCES dim_transaction(transaction_id)',
  ],
};

const COLUMNS = `
  select table_name, json_object_agg(column_name, format_type(atttypid, atttypmod) order by ordinal_position) as columns
  from information_schema.columns
  join pg_attribute on attrelid = format('%I.%I', table_schema, table_name)::regclass and attname = column_name
  where table_schema = 'public'
  group by table_name order by table_name`;

const CONSTRAINTS = `
  select conrelid::regclass || ' ' || pg_get_constraintdef(oid) from pg_constraint
  where connamespace = 'public'::regnamespace and contype::text = any($1)`;

/** The definitions of the constraints of the given types, in the order of their names. */
async function constraints(warehouse: Warehouse, ...types: readonly string[]): Promise<readonly string[]> {
  return inOrder((await warehouse.rows(CONSTRAINTS, [types])).map(([definition]) => String(definition)));
}

function inOrder(texts: readonly string[]): readonly string[] {
  return texts.toSorted((a, b) => (a < b ? -1 : 1));
}

async function initialised(): Promise<Warehouse> {
  const warehouse = await freshWarehouse(totesys);
  await warehouse.initialise();
  return warehouse;
}

describe('the totesys warehouse', () => {
  test('has exactly the tables, columns, order and types that others build on', async () => {
    const found = await (await initialised()).rows(COLUMNS);
    const expected = RELATIONS.map(([name, columns]) => [name, columnsOf(columns)]);
    expect(JSON.stringify(found, null, 1)).toEqual(JSON.stringify(expected, null, 1));
  });

  test('requires everything but what the source may leave out, and numbers versions by itself', async () => {
    const warehouse = await initialised();
    const nullable = `
      select table_name || '.' || column_name from information_schema.columns
      where table_schema = 'public' and is_nullable = 'YES' and table_name not like 'history%' order by 1`;
    expect((await warehouse.rows(nullable)).flat()).toEqual(NULLABLE);
    const identities = `
      select column_name, identity_generation from information_schema.columns
      where table_schema = 'public' and is_identity = 'YES' order by 1`;
    expect(await warehouse.rows(identities)).toEqual([
      ['payment_record_id', 'ALWAYS'],
      ['purchase_record_id', 'ALWAYS'],
      ['sales_record_id', 'ALWAYS'],
    ]);
  });

  test('has its keys, and shows the star without enforcing it', async () => {
    const warehouse = await initialised();
    expect(await constraints(warehouse, 'p', 'u')).toEqual(KEYS);
    const expected = Object.entries(REFERENCES).flatMap(([subject, references]) =>
      ['current', 'fact'].flatMap((kind) =>
        references.map((reference) => `${kind}_${subject} FOREIGN KEY ${reference} NOT ENFORCED`),
      ),
    );
    expect(await constraints(warehouse, 'f')).toEqual(inOrder(expected));
  });

  test('has the bookkeeping that others read', async () => {
    const columns = `
      select table_name, json_object_agg(column_name, data_type order by ordinal_position)
      from information_schema.columns where table_schema = 'pipeline' group by 1 order by 1`;
    const ledger = `batch_id bigint, log_id uuid, snapshot_at timestamptz, loaded_at timestamptz, model_hash string,
      counts jsonb`;
    const quarantine = `quarantine_id bigint, batch_id bigint, table_name string, record_key string, column_name string,
      reason string, stage string, row jsonb, released_at timestamptz,
      dropped_at timestamptz`;
    expect(await (await initialised()).rows(columns)).toEqual([
      ['ledger', columnsOf(ledger)],
      ['quarantine', columnsOf(quarantine)],
    ]);
  });
});

test.runIf(otherServers().length > 0).each(otherServers())(
  'PostgreSQL $major has the same tables, and no foreign keys where it cannot leave them unenforced',
  async ({ major, binariesDirectory }) => {
    const server = await ownServer({ binariesDirectory });
    const warehouse = await freshWarehouse(totesys, { server });
    await warehouse.initialise();
    expect(await warehouse.rows(COLUMNS)).toEqual(await (await initialised()).rows(COLUMNS));
    expect(await constraints(warehouse, 'p', 'u')).toEqual(KEYS);
    expect((await constraints(warehouse, 'f')).length === 0).toBe(major < 18);
    expect(await warehouse.initialise()).toEqual([]);
  },
);

import type { ClientBase } from 'pg';

/** The 11 tables of totesys, parents before children: the order in which rows can be inserted. */
export const TABLES = [
  'address', 'department', 'currency', 'payment_type', 'staff', 'counterparty', 'design',
  'sales_order', 'purchase_order', 'transaction', 'payment',
] as const;

export type TableName = (typeof TABLES)[number];

const STAMPS = `
  created_at timestamp not null default current_timestamp,
  last_updated timestamp not null default current_timestamp`;

const COLUMNS: Readonly<Record<TableName, string>> = {
  address: `
  address_id int primary key,
  address_line_1 varchar not null,
  address_line_2 varchar,
  district varchar,
  city varchar not null,
  postal_code varchar not null,
  country varchar not null,
  phone varchar not null,${STAMPS}`,
  department: `
  department_id int primary key,
  department_name varchar not null,
  location varchar,
  manager varchar,${STAMPS}`,
  currency: `
  currency_id int primary key,
  currency_code varchar(3) not null,${STAMPS}`,
  payment_type: `
  payment_type_id int primary key,
  payment_type_name varchar not null,${STAMPS}`,
  staff: `
  staff_id int primary key,
  first_name varchar not null,
  last_name varchar not null,
  department_id int not null,
  email_address varchar not null,${STAMPS}`,
  counterparty: `
  counterparty_id int primary key,
  counterparty_legal_name varchar not null,
  legal_address_id int not null,
  commercial_contact varchar,
  delivery_contact varchar,${STAMPS}`,
  design: `
  design_id int primary key,
  created_at timestamp not null default current_timestamp,
  design_name varchar not null,
  file_location varchar not null,
  file_name varchar not null,
  last_updated timestamp not null default current_timestamp`,
  sales_order: `
  sales_order_id int primary key,${STAMPS},
  design_id int not null,
  staff_id int not null,
  counterparty_id int not null,
  units_sold int not null,
  unit_price numeric not null,
  currency_id int not null,
  agreed_delivery_date varchar not null,
  agreed_payment_date varchar not null,
  agreed_delivery_location_id int not null`,
  purchase_order: `
  purchase_order_id int primary key,${STAMPS},
  staff_id int not null,
  counterparty_id int not null,
  item_code varchar not null,
  item_quantity int not null,
  item_unit_price numeric not null,
  currency_id int not null,
  agreed_delivery_date varchar not null,
  agreed_payment_date varchar not null,
  agreed_delivery_location_id int not null`,
  transaction: `
  transaction_id int primary key,
  transaction_type varchar not null,
  sales_order_id int,
  purchase_order_id int,${STAMPS}`,
  payment: `
  payment_id int primary key,${STAMPS},
  transaction_id int not null,
  counterparty_id int not null,
  payment_amount numeric not null,
  currency_id int not null,
  payment_type_id int not null,
  paid boolean not null,
  payment_date varchar not null,
  company_ac_number int not null,
  counterparty_ac_number int not null`,
};

/** Foreign keys as (child table, child column, parent table); the parent's column is its primary key. */
const REFERENCES: readonly (readonly [TableName, string, TableName])[] = [
  ['staff', 'department_id', 'department'],
  ['counterparty', 'legal_address_id', 'address'],
  ['sales_order', 'design_id', 'design'],
  ['sales_order', 'staff_id', 'staff'],
  ['sales_order', 'counterparty_id', 'counterparty'],
  ['sales_order', 'currency_id', 'currency'],
  ['sales_order', 'agreed_delivery_location_id', 'address'],
  ['purchase_order', 'staff_id', 'staff'],
  ['purchase_order', 'counterparty_id', 'counterparty'],
  ['purchase_order', 'currency_id', 'currency'],
  ['purchase_order', 'agreed_delivery_location_id', 'address'],
  ['transaction', 'sales_order_id', 'sales_order'],
  ['transaction', 'purchase_order_id', 'purchase_order'],
  ['payment', 'transaction_id', 'transaction'],
  ['payment', 'counterparty_id', 'counterparty'],
  ['payment', 'currency_id', 'currency'],
  ['payment', 'payment_type_id', 'payment_type'],
];

/** The names that PostgreSQL itself would give, so that a schema made elsewhere is recognised. */
function constraintName(child: string, column: string): string {
  return `${child}_${column}_fkey`;
}

/** Creates the tables that are not there, with their primary keys only. */
export const CREATE_TABLES = TABLES.map(
  (table) => `create table if not exists ${table} (${COLUMNS[table]}\n);`,
).join('\n');

export const DROP_REFERENCES = REFERENCES.map(
  ([child, column]) => `alter table ${child} drop constraint if exists ${constraintName(child, column)};`,
).join('\n');

export const ADD_REFERENCES = REFERENCES.map(
  ([child, column, parent]) =>
    `alter table ${child} add constraint ${constraintName(child, column)}
      foreign key (${column}) references ${parent};`,
).join('\n');

/**
 * Creates the totesys schema, empty, in the first schema of the session's search path. Does no harm where it exists.
 * All in one query, which PostgreSQL runs as one transaction.
 */
export async function createTotesys(client: ClientBase): Promise<void> {
  await client.query([CREATE_TABLES, DROP_REFERENCES, ADD_REFERENCES].join('\n'));
}

import { boolean, int, numeric, text, timestamp } from '../../shared/model/column.ts';
import { table } from '../../shared/model/table.ts';

/** The operational database of a tote bag maker: all of its 11 tables. Times are UTC without saying so. */
const stamps = { created_at: timestamp(), last_updated: timestamp() };

export const address = table('address', {
  address_id: int().key(),
  address_line_1: text(),
  address_line_2: text().nullable(),
  district: text().nullable(),
  city: text(),
  postal_code: text(),
  country: text(),
  phone: text(),
  ...stamps,
});

export const department = table('department', {
  department_id: int().key(),
  department_name: text(),
  location: text().nullable(),
  manager: text().nullable(),
  ...stamps,
});

export const currency = table('currency', {
  currency_id: int().key(),
  currency_code: text(),
  ...stamps,
});

export const design = table('design', {
  design_id: int().key(),
  design_name: text(),
  file_location: text(),
  file_name: text(),
  ...stamps,
});

export const staff = table('staff', {
  staff_id: int().key(),
  first_name: text(),
  last_name: text(),
  department_id: int(),
  email_address: text(),
  ...stamps,
});

export const counterparty = table('counterparty', {
  counterparty_id: int().key(),
  counterparty_legal_name: text(),
  legal_address_id: int(),
  commercial_contact: text().nullable(),
  delivery_contact: text().nullable(),
  ...stamps,
});

export const salesOrder = table('sales_order', {
  sales_order_id: int().key(),
  design_id: int(),
  staff_id: int(),
  counterparty_id: int(),
  units_sold: int(),
  unit_price: numeric(),
  currency_id: int(),
  agreed_delivery_date: text(),
  agreed_payment_date: text(),
  agreed_delivery_location_id: int(),
  ...stamps,
});

export const purchaseOrder = table('purchase_order', {
  purchase_order_id: int().key(),
  staff_id: int(),
  counterparty_id: int(),
  item_code: text(),
  item_quantity: int(),
  item_unit_price: numeric(),
  currency_id: int(),
  agreed_delivery_date: text(),
  agreed_payment_date: text(),
  agreed_delivery_location_id: int(),
  ...stamps,
});

export const paymentType = table('payment_type', {
  payment_type_id: int().key(),
  payment_type_name: text(),
  ...stamps,
});

export const transaction = table('transaction', {
  transaction_id: int().key(),
  transaction_type: text(),
  sales_order_id: int().nullable(),
  purchase_order_id: int().nullable(),
  ...stamps,
});

export const payment = table('payment', {
  payment_id: int().key(),
  transaction_id: int(),
  counterparty_id: int(),
  payment_amount: numeric(),
  currency_id: int(),
  payment_type_id: int(),
  paid: boolean(),
  payment_date: text(),
  company_ac_number: int(),
  counterparty_ac_number: int(),
  ...stamps,
});

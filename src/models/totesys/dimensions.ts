import { dimension } from '../../shared/model/dimension.ts';
import { column, currencyName, key, lookup } from '../../shared/model/expression.ts';
import { address, counterparty, currency, department, design, staff } from './source.ts';

/** The dimensions that more than one star shares. */
export const dimStaff = dimension('dim_staff', staff, {
  staff_id: key(),
  first_name: column(),
  last_name: column(),
  department_name: lookup('department_id', department, 'department_name'),
  location: lookup('department_id', department, 'location'),
  email_address: column(),
});

export const dimLocation = dimension('dim_location', address, {
  location_id: key('address_id'),
  address_line_1: column(),
  address_line_2: column(),
  district: column(),
  city: column(),
  postal_code: column(),
  country: column(),
  phone: column(),
});

export const dimCurrency = dimension('dim_currency', currency, {
  currency_id: key(),
  currency_code: column(),
  currency_name: currencyName('currency_code'),
});

export const dimDesign = dimension('dim_design', design, {
  design_id: key(),
  design_name: column(),
  file_location: column(),
  file_name: column(),
});

export const dimCounterparty = dimension('dim_counterparty', counterparty, {
  counterparty_id: key(),
  counterparty_legal_name: column(),
  counterparty_legal_address_line_1: lookup('legal_address_id', address, 'address_line_1'),
  counterparty_legal_address_line_2: lookup('legal_address_id', address, 'address_line_2'),
  counterparty_legal_district: lookup('legal_address_id', address, 'district'),
  counterparty_legal_city: lookup('legal_address_id', address, 'city'),
  counterparty_legal_postal_code: lookup('legal_address_id', address, 'postal_code'),
  counterparty_legal_country: lookup('legal_address_id', address, 'country'),
  counterparty_legal_phone_number: lookup('legal_address_id', address, 'phone'),
});

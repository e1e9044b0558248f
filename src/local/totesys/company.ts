import type { Cell, Row, RowSet } from './copy.ts';
import type { Random } from './random.ts';
import {
  BUILDINGS, CITIES, COMPANY_FORMS, COUNTRIES, CURRENCY_CODES, DEPARTMENTS, DISTRICTS, FIRST_NAMES, PAYMENT_TYPES,
  STREETS, SURNAMES,
} from './words.ts';

/** How many there are of each; they are numbered from 1 without gaps. */
export const ADDRESS_COUNT = 30;
export const STAFF_COUNT = 20;
export const COUNTERPARTY_COUNT = 20;
export const CURRENCY_COUNT = CURRENCY_CODES.length;

const DIGITS = '0123456789';
const EMAIL_DOMAIN = 'starling-totes.example';

function rowSet(table: RowSet['table'], columns: string, rows: readonly Row[], stamp: string): RowSet {
  const numbered = rows.map((row, index): Row => [index + 1, ...row, stamp, stamp]);
  return { table, columns: `${table}_id, ${columns}, created_at, last_updated`, rows: numbered };
}

/** Leading zeros, ZIP+4, plain digits, and letters with a space: taken in turn, so that none is ever missing. */
function postalCode(random: Random, index: number): string {
  const codes = [
    `0${random.text(4, DIGITS)}`,
    `${random.text(5, DIGITS)}-${random.text(4, DIGITS)}`,
    random.text(5, DIGITS),
    `0${random.text(4, DIGITS)}-0${random.text(3, DIGITS)}`,
    `${random.text(2, 'ABEGLMNS')}${random.int(1, 9)} ${random.int(0, 9)}${random.text(2, 'ABDEFG')}`,
  ];
  return codes[index % codes.length] ?? '';
}

function addressRows(random: Random): Row[] {
  const countries = random.shuffle(COUNTRIES).slice(0, ADDRESS_COUNT);
  return countries.map((country, index): Row => [
    `${random.text(random.int(1, 4), DIGITS)} ${random.pick(STREETS)}`,
    random.chance(0.6) ? null : random.pick(BUILDINGS),
    random.chance(0.4) ? null : random.pick(DISTRICTS),
    random.pick(CITIES),
    postalCode(random, index),
    country,
    `0${random.text(3, DIGITS)} ${random.text(6, DIGITS)}`,
  ]);
}

function personName(random: Random): string {
  return `${random.pick(FIRST_NAMES)} ${random.pick(SURNAMES)}`;
}

function departmentRows(random: Random): Row[] {
  return DEPARTMENTS.map(({ name, location }): Row => [name, location, personName(random)]);
}

/** Letters outside ASCII lose their marks where they have a plain letter under them, and go otherwise. */
function mailbox(name: string): string {
  return name.normalize('NFD').toLowerCase().replaceAll(/[^a-z-]/g, '');
}

/** The first eight are one for each department, so that every department has staff. */
function staffRows(random: Random): Row[] {
  const surnames = random.shuffle(SURNAMES).slice(0, STAFF_COUNT);
  return surnames.map((surname, index): Row => {
    const firstName = random.pick(FIRST_NAMES);
    const department = index < DEPARTMENTS.length ? index + 1 : random.int(1, DEPARTMENTS.length);
    const email = `${mailbox(firstName)}.${mailbox(surname)}@${EMAIL_DOMAIN}`;
    return [firstName, surname, department, email];
  });
}

/** No two begin with the same owner, so no two have the same name. */
function counterpartyRows(random: Random): Row[] {
  const owners = random.shuffle(SURNAMES).slice(0, COUNTERPARTY_COUNT);
  return owners.map((owner, index): Row => {
    const [partner = '', third = ''] = random.shuffle(SURNAMES.filter((name) => name !== owner));
    const name = COMPANY_FORMS[index % COMPANY_FORMS.length]?.(owner, partner, third) ?? owner;
    const contact: Cell = random.chance(0.1) ? null : personName(random);
    return [name, random.int(1, ADDRESS_COUNT), contact, personName(random)];
  });
}

/**
 * The rows of the six tables that hardly ever change, in an order in which they can be inserted. They came into the
 * system in two goes, each with one timestamp for all its rows (`stamp` and `laterStamp`).
 */
export function companyRows(random: Random, stamp: string, laterStamp: string): RowSet[] {
  const address = 'address_line_1, address_line_2, district, city, postal_code, country, phone';
  const counterparty = 'counterparty_legal_name, legal_address_id, commercial_contact, delivery_contact';
  return [
    rowSet('address', address, addressRows(random), stamp),
    rowSet('department', 'department_name, location, manager', departmentRows(random), stamp),
    rowSet('currency', 'currency_code', CURRENCY_CODES.map((code): Row => [code]), stamp),
    rowSet('payment_type', 'payment_type_name', PAYMENT_TYPES.map((name): Row => [name]), stamp),
    rowSet('staff', 'first_name, last_name, department_id, email_address', staffRows(random), laterStamp),
    rowSet('counterparty', counterparty, counterpartyRows(random), laterStamp),
  ];
}

import { type ErrorContext, PipelineError } from '../errors.ts';
import type { ColumnType } from '../types/type.ts';

export function modelError(message: string, context: ErrorContext): PipelineError {
  return new PipelineError('model', message, context);
}

/** PostgreSQL cuts identifiers at 63 bytes, silently; two long names could become one. */
const NAME_BYTES = 63;

/** Names that every JavaScript object has already: what is kept under them in an entry would be lost. */
const TAKEN = new Set(['__proto__', 'constructor', 'prototype']);

export function checkName(name: string, context: ErrorContext): void {
  if (TAKEN.has(name)) throw modelError(`the name ${name} cannot be used: give the table or column a view`, context);
  // A lone surrogate has no UTF-8, and a mark of the byte order at the start gets lost in Parquet.
  if (/^\uFEFF|\p{Surrogate}/u.test(name)) throw modelError(`name ${JSON.stringify(name)} is no name in Unicode`, context);
  const bytes = Buffer.byteLength(name);
  if (bytes >= 1 && bytes <= NAME_BYTES && !name.includes('\0')) return;
  const where = context.column === undefined ? '' : ` of table ${context.table}`;
  const problem = `has ${bytes} bytes: a name has 1 to ${NAME_BYTES}, and no NUL`;
  throw modelError(`name ${JSON.stringify(name.slice(0, NAME_BYTES))}${where} ${problem}`, context);
}

/** Parquet's decimal, as Arrow writes it, has 128 bits: 38 digits. */
const MAX_PRECISION = 38;

export function checkDigits(type: ColumnType, context: ErrorContext): void {
  if (type.kind !== 'numeric' || !type.digits) return;
  const { precision, scale } = type.digits;
  const fits = Number.isInteger(precision) && Number.isInteger(scale) && precision <= MAX_PRECISION;
  if (fits && precision >= 1 && scale >= 0 && scale <= precision) return;
  const where = `${context.table}.${context.column}`;
  throw modelError(`${where}: numeric(${precision},${scale}) is not 1 to ${MAX_PRECISION} digits, of them 0 to all decimals`, context);
}

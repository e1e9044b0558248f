/** The declarations of a model in DuckDB's words, so that it reads into the types that the fact has, as we do. */

import type { FactSpec } from '../src/shared/model/fact.ts';
import type { OutputColumn } from '../src/shared/model/expression.ts';
import type { TableSpec } from '../src/shared/model/table.ts';
import type { ColumnType } from '../src/shared/types/type.ts';

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function typeName(type: ColumnType): string {
  switch (type.kind) {
    case 'text':
      return 'varchar';
    case 'int':
      return 'integer';
    case 'numeric':
      return type.digits ? `decimal(${type.digits.precision}, ${type.digits.scale})` : 'varchar';
    case 'bigint':
    case 'double':
    case 'boolean':
    case 'date':
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return type.kind;
  }
}

/**
 * What each field of the CSV is read as: where the fact has it as it is, straight as the fact's type (an agreed date, a
 * text in the source, as a date), which is the fastest for DuckDB.
 */
export function duckTypes(table: TableSpec, fact: FactSpec): string {
  const types = Object.entries(table.columns).map(([name, column]) => {
    const into = fact.columns.find(({ origin }) => origin.column === name && (origin.kind === 'column' || origin.kind === 'date'));
    return `${literal(name)}: ${literal(typeName(into?.type ?? column.type))}`;
  });
  return `{${types.join(', ')}}`;
}

export function duckColumn({ name, type, origin }: OutputColumn): string {
  return `${quoted(origin.column)}::${typeName(type)} as ${quoted(name)}`;
}

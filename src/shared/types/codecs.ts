import { booleanCodec } from './boolean.ts';
import { dateCodec } from './date.ts';
import { doubleCodec } from './double.ts';
import { bigintCodec, intCodec } from './int.ts';
import { numericCodec } from './numeric.ts';
import { textCodec } from './text.ts';
import { timeCodec } from './time.ts';
import { timestampCodec, timestamptzCodec } from './timestamp.ts';
import { type Cell, type ColumnType, Unfit } from './type.ts';

/** The value that PostgreSQL's text form stands for, or why the type cannot hold it; null stays null. */
export function parseCell(type: ColumnType, text: string | null): Cell | Unfit {
  return text === null ? null : parserOf(type)(text);
}

/** The parser of a type, to be looked up once a column rather than once a cell. */
export function parserOf(type: ColumnType): (text: string) => Exclude<Cell, null> | Unfit {
  switch (type.kind) {
    case 'int':
      return (text) => intCodec.parse(text, type);
    case 'bigint':
      return (text) => bigintCodec.parse(text, type);
    case 'double':
      return (text) => doubleCodec.parse(text, type);
    case 'text':
      return (text) => textCodec.parse(text, type);
    case 'boolean':
      return (text) => booleanCodec.parse(text, type);
    case 'numeric':
      return (text) => numericCodec.parse(text, type);
    case 'date':
      return (text) => dateCodec.parse(text, type);
    case 'time':
      return (text) => timeCodec.parse(text, type);
    case 'timestamp':
      return (text) => timestampCodec.parse(text, type);
    case 'timestamptz':
      return (text) => timestamptzCodec.parse(text, type);
  }
}

/** PostgreSQL's text form of a cell of the given type: the inverse of `parseCell`. */
export function formatCell(type: ColumnType, cell: Cell): string | null {
  if (cell === null) return null;
  switch (type.kind) {
    case 'boolean':
      return booleanCodec.format(cell === true, type);
    case 'double':
      return doubleCodec.format(Number(cell), type);
    case 'date':
      return dateCodec.format(Number(cell), type);
    case 'time':
      return timeCodec.format(Number(cell), type);
    case 'timestamp':
      return timestampCodec.format(BigInt(cell), type);
    case 'timestamptz':
      return timestamptzCodec.format(BigInt(cell), type);
    case 'int':
    case 'bigint':
    case 'numeric':
    case 'text':
      return String(cell);
  }
}

/** As people and the warehouse's DDL write it. */
export function typeName(type: ColumnType): string {
  if (type.kind === 'numeric') return type.digits ? `numeric(${type.digits.precision},${type.digits.scale})` : 'numeric';
  return type.kind;
}

export function isUnfit(cell: Cell | Unfit): cell is Unfit {
  return cell instanceof Unfit;
}

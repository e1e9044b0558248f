import type { Cell, ColumnType } from '../shared/types/type.ts';

/** `PGCOPY\n\377\r\n\0`, no flags, no header extension: PostgreSQL's manual, COPY, "Binary Format". */
const HEADER = Buffer.from([0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

/** A chunk is handed on when it has grown to this size. */
const CHUNK_BYTES = 256 * 1024;

/** 2000-01-01 in days and microseconds since 1970-01-01: where PostgreSQL's own counting starts. */
const EPOCH_DAYS = 10_957;
const EPOCH_MICROS = 946_684_800_000_000n;

/** Rows to be encoded, column-wise: `cells[c][r]`. */
export interface ColumnBatch {
  readonly cells: readonly (readonly Cell[])[];
  readonly rows: number;
}

/** Encodes rows for `COPY … FROM STDIN (FORMAT binary)` in chunks of bounded size. */
export async function* encodeBinary(
  types: readonly ColumnType[],
  batches: AsyncIterable<ColumnBatch>,
): AsyncGenerator<Buffer> {
  const writers = types.map(writerOf);
  let chunk = new BinaryChunk();
  chunk.bytes(HEADER);
  for await (const { cells, rows } of batches) {
    for (let row = 0; row < rows; row += 1) {
      writeRow(chunk, writers, cells, row);
      if (chunk.length < CHUNK_BYTES) continue;
      yield chunk.take();
      chunk = new BinaryChunk();
    }
  }
  chunk.int16(-1);
  yield chunk.take();
}

function writeRow(chunk: BinaryChunk, writers: readonly Writer[], cells: ColumnBatch['cells'], row: number): void {
  chunk.int16(writers.length);
  for (const [column, write] of writers.entries()) {
    const cell = cells[column]?.[row] ?? null;
    if (cell === null) chunk.int32(-1);
    else write(chunk, cell);
  }
}

type Writer = (chunk: BinaryChunk, cell: Exclude<Cell, null>) => void;

/** Writes the length of a value, then the value as its type's `…_recv` function reads it. */
function writerOf(type: ColumnType): Writer {
  switch (type.kind) {
    case 'int':
      return (chunk, cell) => chunk.int32(4).int32(Number(cell));
    case 'bigint':
      return (chunk, cell) => chunk.int32(8).int64(BigInt(cell));
    case 'double':
      return (chunk, cell) => chunk.int32(8).float64(Number(cell));
    case 'boolean':
      return (chunk, cell) => chunk.int32(1).int8(cell === true ? 1 : 0);
    case 'date':
      return (chunk, cell) => chunk.int32(4).int32(Number(cell) - EPOCH_DAYS);
    case 'time':
      return (chunk, cell) => chunk.int32(8).int64(BigInt(cell));
    case 'timestamp':
    case 'timestamptz':
      return (chunk, cell) => chunk.int32(8).int64(BigInt(cell) - EPOCH_MICROS);
    case 'text':
      return (chunk, cell) => chunk.text(String(cell));
    case 'numeric':
      return (chunk, cell) => writeNumeric(chunk, String(cell));
  }
}

/** `numeric_recv`'s signs. */
const [POSITIVE, NEGATIVE] = [0x0000, 0x4000];
const SPECIAL = new Map([
  ['NaN', 0xc000],
  ['Infinity', 0xd000],
  ['-Infinity', 0xf000],
]);

/** Groups of four decimal digits around the point: count, weight of the first, sign, decimals to show, groups. */
function writeNumeric(chunk: BinaryChunk, text: string): void {
  const special = SPECIAL.get(text);
  if (special !== undefined) {
    chunk.int32(8).int16(0).int16(0).int16(special).int16(0);
    return;
  }
  const negative = text.startsWith('-');
  const [whole = '', fraction = ''] = text.slice(negative ? 1 : 0).split('.');
  const head = whole.padStart(Math.ceil(whole.length / 4) * 4, '0');
  const digits = head + fraction.padEnd(Math.ceil(fraction.length / 4) * 4, '0');
  const groups = digits.length / 4;
  chunk.int32(8 + 2 * groups).int16(groups).int16(head.length / 4 - 1);
  chunk.int16(negative ? NEGATIVE : POSITIVE).int16(fraction.length);
  for (let at = 0; at < digits.length; at += 4) chunk.int16(Number(digits.slice(at, at + 4)));
}

/** A buffer that grows; numbers are big-endian. */
class BinaryChunk {
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES + 64 * 1024);
  length = 0;

  #room(bytes: number): number {
    const at = this.length;
    if (at + bytes > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, at + bytes));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.length = at + bytes;
    return at;
  }

  int8(value: number): this {
    const at = this.#room(1);
    this.#buffer.writeInt8(value, at);
    return this;
  }

  int16(value: number): this {
    const at = this.#room(2);
    this.#buffer.writeUInt16BE(value & 0xffff, at);
    return this;
  }

  int32(value: number): this {
    const at = this.#room(4);
    this.#buffer.writeInt32BE(value, at);
    return this;
  }

  int64(value: bigint): this {
    const at = this.#room(8);
    this.#buffer.writeBigInt64BE(value, at);
    return this;
  }

  float64(value: number): this {
    const at = this.#room(8);
    this.#buffer.writeDoubleBE(value, at);
    return this;
  }

  text(value: string): this {
    const bytes = Buffer.byteLength(value);
    this.int32(bytes);
    const at = this.#room(bytes);
    this.#buffer.write(value, at, 'utf8');
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#buffer.set(value, at);
    return this;
  }

  take(): Buffer {
    return this.#buffer.subarray(0, this.length);
  }
}

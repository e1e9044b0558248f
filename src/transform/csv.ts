import { isUtf8 } from 'node:buffer';
import { PipelineError } from '../shared/errors.ts';

/** One record: its fields in the order of the header; null is the empty field, '' the quoted empty string. */
export type CsvRecord = readonly (string | null)[];

export const NULL_FIELD = -1;

/** Records are looked at in blocks of about this size: large enough to be quick, small enough to stay in the cache. */
const BLOCK_BYTES = 1024 * 1024;

/** V8's longest string has about 512 Mi characters; PostgreSQL's longest field is shorter, its longest row is not. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

export const [QUOTE, COMMA, LF, CR] = [34, 44, 10, 13] as const;

/**
 * Decodes PostgreSQL's CSV (`COPY … (FORMAT csv, HEADER)`). Memory is bounded by the block and the longest record. It is
 * the same block each time, with other bytes in it: all of its records are to be read before the next is asked for.
 * @throws PipelineError `lake_corrupt` on what no COPY writes: bytes that are not UTF-8, a NUL, a record of another width
 * than the header, a quote out of place, or a carriage return outside quotes, which a tool that "mends" line ends leaves
 * and which would become part of a value; `key` names the object, records are counted from 1 behind the header.
 */
export async function* decodeCsv(key: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<CsvBlock> {
  const block = new CsvBlock(key);
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      at += block.fill(chunk, at);
      if (!block.isFull) continue;
      if (block.open()) yield block;
      block.keepRest();
    }
  }
  if (block.open()) yield block;
  block.close();
}

/** Some records as they lie in memory, and how far they have been read: for whoever makes no strings of most fields. */
export class CsvBlock {
  readonly #key: string;
  #bytes = Buffer.allocUnsafe(BLOCK_BYTES);
  #length = 0;
  #header: readonly string[] | null = null;
  /**
   * Of field f of the record that was read last: at 2f where its content starts, and behind it where it ends, without
   * quotes. An end of `NULL_FIELD` stands for NULL; a start below zero is `~start`, of content with doubled quotes.
   */
  #bounds = new Int32Array(64);
  #at = 0;
  /** Behind the last line end: what is not in quotes does not go on behind it. */
  end = 0;
  #records = 0;

  constructor(key: string) {
    this.#key = key;
  }

  get header(): readonly string[] {
    return this.#header ?? [];
  }

  /** Where the next record starts. */
  get at(): number {
    return this.#at;
  }

  /** How many were read, in this block and those before it. */
  get records(): number {
    return this.#records;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** More records are not left: a field takes a byte at least. */
  get recordsAtMost(): number {
    return Math.ceil((this.end - this.#at) / this.header.length);
  }

  /** Reads a record; false where no whole one is left. */
  next(): boolean {
    const width = this.#scan();
    if (width === 0) return false;
    if (width !== this.header.length) throw this.#corrupt(`has ${width} fields, the header has ${this.header.length}`);
    this.#records += 1;
    return true;
  }

  /** So many records were read by somebody else, who has come to `at`. */
  advance(at: number, records: number): void {
    this.#at = at;
    this.#records += records;
  }

  /** The text of a field of the record that was read last; null for NULL. */
  text(field: number): string | null {
    return textAt(this.#bytes, this.#bounds[field * 2] ?? 0, this.#bounds[field * 2 + 1] ?? NULL_FIELD);
  }

  /** All fields of that record. */
  record(): CsvRecord {
    return this.header.map((_, field) => this.text(field));
  }

  get isFull(): boolean {
    return this.#length === this.#bytes.length;
  }

  /** Takes in what there is room for; how many bytes that was. */
  fill(chunk: Uint8Array, from: number): number {
    const taken = Math.min(chunk.length - from, this.#bytes.length - this.#length);
    this.#bytes.set(chunk.subarray(from, from + taken), this.#length);
    this.#length += taken;
    return taken;
  }

  /** Has what has come read from its start; whether there may be a record in it. */
  open(): boolean {
    this.#at = 0;
    this.end = this.#length === 0 ? 0 : this.#bytes.lastIndexOf(LF, this.#length - 1) + 1;
    this.#checkText(this.end);
    if (this.#header === null && this.end > 0) this.#readHeader();
    return this.#header !== null && this.#at < this.end;
  }

  /** A record that fills the block gets one of twice the size: though it is looked at again, its cost is linear. */
  keepRest(): void {
    const rest = this.#bytes.subarray(this.#at, this.#length);
    if (rest.length >= MAX_RECORD_BYTES) throw this.#corrupt('is longer than 256 MiB');
    if (this.#at === 0) this.#bytes = Buffer.allocUnsafe(this.#bytes.length * 2);
    // Behind a long one: what follows is not to be held in such pieces.
    else if (this.#bytes.length > BLOCK_BYTES && rest.length < BLOCK_BYTES) this.#bytes = Buffer.allocUnsafe(BLOCK_BYTES);
    this.#bytes.set(rest);
    this.#length = rest.length;
  }

  /** All has come, and been read. */
  close(): void {
    if (this.#at === this.#length) return;
    this.#checkText(this.#length);
    this.#scan();
    throw this.#corrupt('is cut off');
  }

  #readHeader(): void {
    const width = this.#scan();
    if (width > 0) this.#header = Array.from({ length: width }, (_, field) => this.text(field) ?? '');
  }

  /** Notes where the fields of the next record are, and goes behind it; how many they are, 0 where it is not whole. */
  #scan(): number {
    const [bytes, length] = [this.#bytes, this.#length];
    let [at, width] = [this.#at, 0];
    for (let stop: number = COMMA; stop === COMMA; width += 1, at += 1) {
      const field = fieldAt(bytes, at, length);
      if (field === null) return 0;
      if (width * 2 === this.#bounds.length) this.#bounds = larger(this.#bounds);
      this.#bounds[width * 2] = field.start;
      this.#bounds[width * 2 + 1] = field.end;
      at = field.behind;
      stop = bytes[at] ?? 0;
      if (stop === CR && !field.isQuoted) throw this.#corrupt('has a carriage return outside quotes');
      if (stop !== COMMA && stop !== LF) throw this.#corrupt('has a quote out of place');
    }
    this.#at = at;
    return width;
  }

  #checkText(end: number): void {
    const text = this.#bytes.subarray(0, end);
    if (isUtf8(text) && !text.includes(0)) return;
    const what = isUtf8(text) ? 'holds a NUL' : 'is not UTF-8';
    throw new PipelineError('lake_corrupt', `${this.#key} ${what}`, { key: this.#key });
  }

  /** Of the record that is being read. */
  #corrupt(what: string): PipelineError {
    const record = this.#header ? `record ${this.#records + 1}` : 'the header';
    return new PipelineError('lake_corrupt', `${record} of ${this.#key} ${what}`, { key: this.#key });
  }
}

function larger(bounds: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(bounds.length * 2);
  grown.set(bounds);
  return grown;
}

interface Field {
  /** As in a block's bounds. */
  readonly start: number;
  readonly end: number;
  /** What ends it is here. */
  readonly behind: number;
  readonly isQuoted: boolean;
}

/** The field that starts at `at`; null where it does not end before `length`. */
export function fieldAt(bytes: Buffer, at: number, length: number): Field | null {
  if (at < length && bytes[at] === QUOTE) {
    const closing = closingQuote(bytes, at + 1, length);
    if (closing === INCOMPLETE) return null;
    const [start, end] = closing < 0 ? [~(at + 1), ~closing] : [at + 1, closing];
    return { start, end, behind: end + 1, isQuoted: true };
  }
  let behind = at;
  while (behind < length && !isSpecial(bytes[behind] ?? 0)) behind += 1;
  if (behind >= length) return null;
  return { start: at, end: behind === at ? NULL_FIELD : behind, behind, isQuoted: false };
}

/** Most bytes are settled by the first comparison. */
function isSpecial(byte: number): boolean {
  return byte <= COMMA && (byte === COMMA || byte === LF || byte === QUOTE || byte === CR);
}

export function textAt(bytes: Buffer, start: number, end: number): string | null {
  if (end === NULL_FIELD) return null;
  return start >= 0 ? bytes.toString('utf8', start, end) : bytes.toString('utf8', ~start, end).replaceAll('""', '"');
}

const INCOMPLETE = -1;

/** The index of the quote that ends a field, `~index` where doubled ones are before it. */
function closingQuote(bytes: Buffer, start: number, length: number): number {
  let doubled = false;
  for (let at = bytes.indexOf(QUOTE, start); at >= 0; at = bytes.indexOf(QUOTE, at + 2)) {
    // Without what follows it, it may be the first of two.
    if (at + 1 >= length) return INCOMPLETE;
    if (bytes[at + 1] !== QUOTE) return doubled ? ~at : at;
    doubled = true;
  }
  return INCOMPLETE;
}

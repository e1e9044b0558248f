import { isUtf8 } from 'node:buffer';
import { PipelineError } from '../shared/errors.ts';

/** One record: its fields in the order of the header; null is the empty field, '' the quoted empty string. */
export type CsvRecord = readonly (string | null)[];

/**
 * Some records as they lie in memory, for whoever reads values without making strings of them. Valid until the next
 * block is asked for: the memory is used again.
 */
export interface CsvBlock {
  readonly header: readonly string[];
  readonly rows: number;
  readonly bytes: Buffer;
  /**
   * Of field f of row r, at `(r * header.length + f) * 2`: where its content starts, and behind it where it ends, without
   * quotes. An end of `NULL_FIELD` stands for NULL; a start below zero is `~start`, of content with doubled quotes.
   */
  readonly bounds: Int32Array;
}

export const NULL_FIELD = -1;

/** Records are looked at in blocks of about this size: large enough to be quick, small enough to stay in the cache. */
const BLOCK_BYTES = 1024 * 1024;

/** V8's longest string has about 512 Mi characters; PostgreSQL's longest field is shorter, its longest row is not. */
const MAX_RECORD_BYTES = 256 * 1024 * 1024;

const [QUOTE, COMMA, LF, CR] = [34, 44, 10, 13];

/**
 * Decodes PostgreSQL's CSV (`COPY … (FORMAT csv, HEADER)`). Memory is bounded by the block and the longest record.
 * @throws PipelineError `lake_corrupt` on what no COPY writes: bytes that are not UTF-8, a NUL, a record of another width
 * than the header, a quote out of place, or a carriage return outside quotes, which a tool that "mends" line ends leaves
 * and which would become part of a value; `key` names the object, records are counted from 1 behind the header.
 */
export async function* decodeCsv(key: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<CsvBlock> {
  const reader = new BlockReader(key);
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      at += reader.fill(chunk, at);
      if (!reader.isFull) continue;
      const block = reader.read();
      if (block) yield block;
      reader.keepRest();
    }
  }
  const block = reader.readLast();
  if (block) yield block;
}

/** The text of a field; null for NULL. */
export function fieldText(block: CsvBlock, row: number, field: number): string | null {
  const at = (row * block.header.length + field) * 2;
  return textAt(block.bytes, block.bounds[at] ?? 0, block.bounds[at + 1] ?? NULL_FIELD);
}

export function textAt(bytes: Buffer, start: number, end: number): string | null {
  if (end === NULL_FIELD) return null;
  return start >= 0 ? bytes.toString('utf8', start, end) : bytes.toString('utf8', ~start, end).replaceAll('""', '"');
}

/** All fields of a row. */
export function recordAt(block: CsvBlock, row: number): CsvRecord {
  return block.header.map((_, field) => fieldText(block, row, field));
}

class BlockReader {
  readonly #key: string;
  #bounds = new Int32Array(128 * 1024);
  #header: readonly string[] | null = null;
  /** Records that were handed out. */
  #count = 0;
  #bytes = Buffer.allocUnsafe(BLOCK_BYTES);
  #length = 0;
  /** Behind the last whole record of what is there. */
  #end = 0;
  #rows = 0;

  constructor(key: string) {
    this.#key = key;
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

  /** The whole records of what is there. */
  read(): CsvBlock | null {
    this.#scan();
    this.#checkText(this.#end);
    return this.#block();
  }

  readLast(): CsvBlock | null {
    this.#checkText(this.#length);
    this.#scan();
    if (this.#end < this.#length) throw this.#corrupt('is cut off');
    return this.#block();
  }

  /** A record that fills the block gets one of twice the size: though it is looked at again, its cost is linear. */
  keepRest(): void {
    const rest = this.#bytes.subarray(this.#end, this.#length);
    if (rest.length > MAX_RECORD_BYTES) throw this.#corrupt('is longer than 256 MiB');
    if (this.#end === 0) this.#bytes = Buffer.allocUnsafe(this.#bytes.length * 2);
    this.#bytes.set(rest);
    this.#length = rest.length;
  }

  #block(): CsvBlock | null {
    const [header, rows] = [this.#header, this.#rows];
    this.#count += rows;
    this.#rows = 0;
    return header && rows > 0 ? { header, rows, bytes: this.#bytes, bounds: this.#bounds } : null;
  }

  /** Notes the bounds of all fields up to the end of the last whole record: one look at each byte. */
  #scan(): void {
    const [bytes, length] = [this.#bytes, this.#length];
    let [at, start, first, noted] = [0, 0, 0, 0];
    this.#end = 0;
    while (at < length) {
      const byte = bytes[at] ?? 0;
      // Most bytes are settled by this comparison.
      if (byte > COMMA || (byte !== COMMA && byte !== LF && byte !== QUOTE && byte !== CR)) {
        at += 1;
        continue;
      }
      if (byte === CR) throw this.#corrupt('has a carriage return outside quotes');
      let end = at === start ? NULL_FIELD : at;
      if (byte === QUOTE) {
        if (at !== start) throw this.#corrupt('has a quote out of place');
        const closing = closingQuote(bytes, at + 1, length);
        if (closing === INCOMPLETE) return;
        [start, end] = closing < 0 ? [~(at + 1), ~closing] : [at + 1, closing];
        at = end + 1;
      }
      if (noted === this.#bounds.length) this.#bounds = larger(this.#bounds);
      this.#bounds[noted] = start;
      this.#bounds[noted + 1] = end;
      noted += 2;
      const stop = bytes[at];
      at += 1;
      start = at;
      if (stop === COMMA) continue;
      if (stop !== LF) throw this.#corrupt('has a quote out of place');
      noted = this.#accept(first, noted);
      first = noted;
      this.#end = at;
    }
  }

  /** A record whose bounds are from `first` to before `noted`; where those of the next one go. */
  #accept(first: number, noted: number): number {
    const width = (noted - first) / 2;
    if (!this.#header) {
      const bounds = this.#bounds;
      const names = Array.from({ length: width }, (_, at) => textAt(this.#bytes, bounds[at * 2] ?? 0, bounds[at * 2 + 1] ?? 0));
      this.#header = names.map((name) => name ?? '');
      return 0;
    }
    if (width !== this.#header.length) throw this.#corrupt(`has ${width} fields, the header has ${this.#header.length}`);
    this.#rows += 1;
    return noted;
  }

  #checkText(end: number): void {
    const text = this.#bytes.subarray(0, end);
    if (isUtf8(text) && !text.includes(0)) return;
    const what = isUtf8(text) ? 'holds a NUL' : 'is not UTF-8';
    throw new PipelineError('lake_corrupt', `${this.#key} ${what}`, { key: this.#key });
  }

  /** Of the record that is being read. */
  #corrupt(what: string): PipelineError {
    const record = this.#header ? `record ${this.#count + this.#rows + 1}` : 'the header';
    return new PipelineError('lake_corrupt', `${record} of ${this.#key} ${what}`, { key: this.#key });
  }
}

function larger(bounds: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(bounds.length * 2);
  grown.set(bounds);
  return grown;
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

import { PipelineError } from '../shared/errors.ts';

/** One record: its fields in the order of the header; null is the empty field, '' the quoted empty string. */
export type CsvRecord = readonly (string | null)[];

export interface CsvBatch {
  readonly header: readonly string[];
  readonly records: readonly CsvRecord[];
}

/** V8's longest string has about 512 Mi characters; PostgreSQL's longest field is shorter, its longest row is not. */
const MAX_RECORD_CHARACTERS = 256 * 1024 * 1024;

const QUOTE = 34;
const COMMA = 44;
const LF = 10;
const CR = 13;

/**
 * Decodes PostgreSQL's CSV (`COPY … (FORMAT csv, HEADER)`), a batch of records for each chunk that completes some.
 * Memory is bounded by the chunks and the longest record.
 * @throws PipelineError `lake_corrupt` on what no COPY writes: bytes that are not UTF-8, a NUL, a record of another width
 * than the header, a quote out of place, or a carriage return outside quotes, which a tool that "mends" line ends leaves
 * and which would become part of a value; `key` names the object, records are counted from 1 behind the header.
 */
export async function* decodeCsv(key: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<CsvBatch> {
  const reader = new RecordReader(key);
  for await (const piece of texts(key, chunks)) {
    const records = reader.push(piece);
    if (reader.header && records.length > 0) yield { header: reader.header, records };
  }
  const records = reader.end();
  if (reader.header && records.length > 0) yield { header: reader.header, records };
}

async function* texts(key: string, chunks: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const decode = (chunk?: Uint8Array) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw new PipelineError('lake_corrupt', `${key} is not UTF-8`, { key }, cause);
    }
  };
  for await (const chunk of chunks) yield withoutNul(key, decode(chunk));
  yield withoutNul(key, decode());
}

/** No text of PostgreSQL holds one: what does was not written by it, and the warehouse could not take it either. */
function withoutNul(key: string, piece: string): string {
  if (piece.includes('\0')) throw new PipelineError('lake_corrupt', `${key} holds a NUL`, { key });
  return piece;
}

class RecordReader {
  header: readonly string[] | null = null;
  readonly #key: string;
  #pending: string[] = [];
  #pendingLength = 0;
  /** A long record is looked at again only when twice as much of it is there: otherwise its cost is quadratic. */
  #lookAt = 0;
  #count = 0;

  constructor(key: string) {
    this.#key = key;
  }

  push(piece: string): CsvRecord[] {
    this.#pending.push(piece);
    this.#pendingLength += piece.length;
    return this.#pendingLength < this.#lookAt ? [] : this.#take();
  }

  end(): CsvRecord[] {
    const records = this.#take();
    if (this.#pendingLength > 0) throw this.#corrupt('is cut off');
    return records;
  }

  #take(): CsvRecord[] {
    const text = this.#pending.length === 1 ? (this.#pending[0] ?? '') : this.#pending.join('');
    const records: CsvRecord[] = [];
    let at = 0;
    for (;;) {
      const fields: (string | null)[] = [];
      const next = readRecord(text, at, fields);
      if (next === MISPLACED) throw this.#corrupt('has a quote out of place');
      if (next === FOREIGN_LINE_END) throw this.#corrupt('has a carriage return outside quotes');
      if (next === INCOMPLETE) break;
      at = next;
      this.#accept(fields, records);
    }
    this.#keep(text.slice(at));
    return records;
  }

  #accept(fields: readonly (string | null)[], records: CsvRecord[]): void {
    if (!this.header) {
      this.header = fields.map((field) => field ?? '');
      return;
    }
    if (fields.length !== this.header.length) {
      throw this.#corrupt(`has ${fields.length} fields, the header has ${this.header.length}`);
    }
    this.#count += 1;
    records.push(fields);
  }

  #keep(rest: string): void {
    if (rest.length > MAX_RECORD_CHARACTERS) throw this.#corrupt('is longer than 256 Mi characters');
    this.#pending = rest === '' ? [] : [rest];
    this.#pendingLength = rest.length;
    this.#lookAt = Math.min(rest.length * 2, MAX_RECORD_CHARACTERS + 1);
  }

  /** Of the record that is being read. */
  #corrupt(what: string): PipelineError {
    const record = this.header ? `record ${this.#count + 1}` : 'the header';
    return new PipelineError('lake_corrupt', `${record} of ${this.#key} ${what}`, { key: this.#key });
  }
}

const INCOMPLETE = -1;
const MISPLACED = -2;
const FOREIGN_LINE_END = -3;

/** Reads the record that starts at `at` into `fields`; the index behind its line end, or why there is none. */
function readRecord(text: string, start: number, fields: (string | null)[]): number {
  let at = start;
  for (;;) {
    const quoted = text.charCodeAt(at) === QUOTE;
    const end = quoted ? quotedEnd(text, at) : bareEnd(text, at);
    // Without what follows it a field may go on: a quote may be the first of two.
    if (end === INCOMPLETE || end >= text.length) return INCOMPLETE;
    fields.push(quoted ? unquote(text.slice(at + 1, end - 1)) : bare(text, at, end));
    const stop = text.charCodeAt(end);
    if (stop === LF) return end + 1;
    if (stop === CR && !quoted) return FOREIGN_LINE_END;
    if (stop !== COMMA) return MISPLACED;
    at = end + 1;
  }
}

/** The index behind the closing quote. */
function quotedEnd(text: string, at: number): number {
  let from = at + 1;
  for (;;) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return INCOMPLETE;
    if (text.charCodeAt(quote + 1) !== QUOTE) return quote + 1;
    from = quote + 2;
  }
}

function bareEnd(text: string, at: number): number {
  for (let end = at; end < text.length; end += 1) {
    const code = text.charCodeAt(end);
    // Most characters are settled by the first comparison.
    if (code <= COMMA && (code === COMMA || code === LF || code === QUOTE || code === CR)) return end;
  }
  return text.length;
}

function bare(text: string, at: number, end: number): string | null {
  return end === at ? null : text.slice(at, end);
}

function unquote(field: string): string {
  return field.includes('"') ? field.replaceAll('""', '"') : field;
}

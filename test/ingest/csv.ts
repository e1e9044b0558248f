/** A second reader of PostgreSQL's CSV, the plainest one that can be: null is the empty field, '' the quoted one. */
export function parseCsv(text: string): readonly (readonly (string | null)[])[] {
  const records: (string | null)[][] = [];
  let record: (string | null)[] = [];
  let at = 0;
  while (at < text.length) {
    const field = text[at] === '"' ? quotedAt(text, at) : plainAt(text, at);
    record.push(field.value);
    at = field.end + 1;
    if (text[field.end] === ',') continue;
    records.push(record);
    record = [];
  }
  return records;
}

interface Field {
  readonly value: string | null;
  /** The index of the comma or line end behind it. */
  readonly end: number;
}

function quotedAt(text: string, start: number): Field {
  let end = start + 1;
  while (text[end] !== '"' || text[end + 1] === '"') end += text[end] === '"' ? 2 : 1;
  return { value: text.slice(start + 1, end).replaceAll('""', '"'), end: end + 1 };
}

function plainAt(text: string, start: number): Field {
  let end = start;
  while (text[end] !== ',' && text[end] !== '\n') end += 1;
  return { value: end === start ? null : text.slice(start, end), end };
}

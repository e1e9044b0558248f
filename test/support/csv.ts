/** PostgreSQL's CSV dialect, written independently of what reads it: NULL is an empty field, '' is `""`. */
export type CsvCell = string | null;

export function csvText(header: readonly string[], rows: readonly (readonly CsvCell[])[]): string {
  return [header, ...rows].map((row) => `${row.map((cell) => field(cell, row.length)).join(',')}\n`).join('');
}

/** `\.` alone in a line once ended the input, so PostgreSQL quotes it in tables of one column. */
function field(cell: CsvCell, width: number): string {
  if (cell === null) return '';
  const quoted = cell === '' || /[",\r\n]/.test(cell) || (cell === '\\.' && width === 1);
  return quoted ? `"${cell.replaceAll('"', '""')}"` : cell;
}

/** Cuts bytes at the given places, wherever they fall: also in the middle of a character. */
export async function* chunked(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let turn = 0; at < bytes.length; turn += 1) {
    const end = at + (sizes[turn % sizes.length] ?? bytes.length);
    yield bytes.subarray(at, end);
    at = end;
  }
}

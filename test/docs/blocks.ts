import { readFile } from 'node:fs/promises';

/** A query of the docs, and what is said of it. */
export interface Block {
  /** The heading above it, or its file and number where there is none. */
  readonly title: string;
  readonly sql: string;
  /** The columns that the text above it names, after "Gives"; null where it names none. */
  readonly columns: readonly string[] | null;
}

/** Every ```sql block of a file of the docs, as it stands, statement by statement. */
export async function blocksOf(file: string): Promise<readonly Block[]> {
  const text = await readFile(new URL(`../../${file}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^```sql\n(.*?)^```$/gms)].flatMap((match, at) => {
    const before = text.slice(0, match.index).split(/^#+ /m).at(-1) ?? '';
    const title = before.split('\n')[0] ?? '';
    const gives = /\bGives (.*)/.exec(before)?.[1];
    const columns = gives === undefined ? null : namesIn(firstSentence(gives));
    const statements = statementsOf(match[1] ?? '');
    const name = (index: number) => (statements.length === 1 ? title : `${title} (block ${at + 1}, ${index + 1})`);
    return statements.map((sql, index) => ({ title: name(index), sql, columns }));
  });
}

function statementsOf(sql: string): readonly string[] {
  return sql.split(/;$/m).filter((statement) => statement.trim() !== '');
}

function namesIn(text: string): readonly string[] {
  return [...text.matchAll(/`(\w+)`/g)].flatMap(([, name]) => name ?? []);
}

function firstSentence(text: string): string {
  return text.split(/[.;]( |$)/)[0] ?? text;
}

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));

interface SourceFile {
  readonly path: string;
  readonly lines: number;
  /** Own files that it imports, from the root. */
  readonly imports: readonly string[];
}

const files: readonly SourceFile[] = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const path = join('src', name);
    const text = readFileSync(join(root, path), 'utf8');
    const imports = [...text.matchAll(/from '(\.[^']+)'/g)].map((match) => normalize(join(dirname(path), match[1] ?? '')));
    return { path, lines: text.split('\n').length, imports };
  });

/** Who may import what: stages meet only through the lake, and `shared` knows nobody. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  'src/shared': [],
  'src/models': ['src/shared'],
  'src/ingest': ['src/shared'],
  'src/transform': ['src/shared'],
  'src/load': ['src/shared'],
  'src/local': ['src/shared'],
  'src/cli': ['src/shared', 'src/models', 'src/ingest', 'src/transform', 'src/load', 'src/local'],
};

/** What makes a stage a Lambda: the only place where a stage meets a model. */
const HANDLER = /^src\/(ingest|transform|load)\/handler\.ts$/;

const partOf = (path: string) => path.split('/').slice(0, 2).join('/');

describe('the parts of src', () => {
  test('are the ones that are known', () => {
    expect(new Set(files.map(({ path }) => partOf(path)))).toEqual(new Set(Object.keys(ALLOWED)));
  });

  test('import only what they may', () => {
    const offences = files.flatMap(({ path, imports }) => {
      const part = partOf(path);
      const models = HANDLER.test(path) ? ['src/models'] : [];
      const allowed = new Set([part, ...(ALLOWED[part] ?? []), ...models]);
      return imports.filter((target) => !allowed.has(partOf(target))).map((target) => `${path} imports ${target}`);
    });
    expect(offences).toEqual([]);
    expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(100);
  });

  test('have three handlers, shells of at most 40 lines', () => {
    const handlers = files.filter(({ path }) => HANDLER.test(path));
    expect(handlers).toHaveLength(3);
    for (const { lines } of handlers) expect(lines).toBeLessThanOrEqual(41);
  });

  test('have no file over 400 lines', () => {
    expect(files.filter(({ lines }) => lines > 401).map(({ path }) => path)).toEqual([]);
  });
});

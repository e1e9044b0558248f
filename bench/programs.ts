import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from '../build/bundle.ts';

/** The programs that are measured, built from what is in src now. */
export interface Programs {
  readonly stage: string;
  readonly duckdb: string;
  readonly copy: string;
  readonly import: string;
  readonly directory: string;
}

const ENTRIES: Readonly<Record<Exclude<keyof Programs, 'directory'>, string>> = {
  stage: 'bench/stage-process.ts',
  duckdb: 'bench/duckdb-process.ts',
  copy: 'bench/copy-process.ts',
  import: 'bench/import-process.ts',
};

/** Below `dist`, where they find the packages; as `make build` builds `dist/starling.js`, its worker beside it. */
export async function buildPrograms(root: string): Promise<Programs> {
  const dist = join(root, 'dist');
  await mkdir(dist, { recursive: true });
  const directory = await mkdtemp(join(dist, 'bench-'));
  const pathOf = (name: string): string => join(directory, `${name}.mjs`);
  await write(join(root, 'src/shared/parquet/parquet-worker.ts'), pathOf('parquet-worker'));
  for (const [name, entry] of Object.entries(ENTRIES)) await write(join(root, entry), pathOf(name));
  const paths = { stage: pathOf('stage'), duckdb: pathOf('duckdb'), copy: pathOf('copy'), import: pathOf('import') };
  return { ...paths, directory };
}

async function write(entry: string, outfile: string): Promise<void> {
  const { outputFiles } = await bundle(entry, outfile);
  for (const { path, contents } of outputFiles) await writeFile(path, contents);
}

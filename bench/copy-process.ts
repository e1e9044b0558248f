/** A process that copies between a database and files, and says what it took: a yardstick where there is no psql. */

import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Client } from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { answer, serve } from './child.ts';
import { measured } from './measured.ts';

export interface Copy {
  readonly direction: 'to' | 'from';
  /** A table with its columns, or a query in parentheses. */
  readonly what: string;
  readonly file: string;
  /** Such as `format csv, header`. */
  readonly options: string;
}

/** All in one transaction. */
export interface CopyJob {
  readonly url: string;
  readonly copies: readonly Copy[];
}

function isCopyJob(job: unknown): job is CopyJob {
  return typeof job === 'object' && job !== null && 'url' in job && 'copies' in job;
}

async function copyOne(client: Client, { direction, what, file, options }: Copy): Promise<void> {
  if (direction === 'to') {
    await pipeline(client.query(copyTo(`copy ${what} to stdout with (${options})`)), createWriteStream(file));
  } else {
    await pipeline(createReadStream(file), client.query(copyFrom(`copy ${what} from stdin with (${options})`)));
  }
}

async function copyAll({ url, copies }: CopyJob): Promise<void> {
  const client = new Client({ connectionString: url, ssl: false, options: '-c timezone=UTC -c datestyle=ISO' });
  await client.connect();
  await client.query('begin');
  for (const copy of copies) await copyOne(client, copy);
  await client.query('commit');
  await client.end();
}

serve(async (job) => {
  if (!isCopyJob(job)) throw new TypeError('that is no job for a copying client');
  return answer(await measured(async () => copyAll(job)));
});

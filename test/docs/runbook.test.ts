/** docs/RUNBOOK.md is read at night: there is an entry for whatever can ring, and what it says to type exists. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { SETTINGS } from '../../src/cli/config.ts';
import { buildProgram } from '../../src/cli/program.ts';
import { initialise } from '../../src/load/load.ts';
import { totesys } from '../../src/models/totesys/model.ts';
import { ERROR_KINDS } from '../../src/shared/errors.ts';
import { connectTo, freshDatabase } from '../support/postgres.ts';
import { hasPsql } from '../sql/psql.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');

function all(text: string, pattern: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(pattern)].flatMap(([, group]) => group ?? []))].toSorted();
}

const runbook = read('docs/RUNBOOK.md');
const terraform = readdirSync(`${root}terraform`, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.tf') && !name.includes('.terraform'))
  .map((name) => read(`terraform/${name}`))
  .join('\n');
const blocks = (language: string) =>
  [...runbook.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].flatMap(([, block]) => block ?? []);
const shell = blocks('sh').join('');
const sql = blocks('sql');

/** Headings below one of the chapters, with what is below them. */
function entries(chapter: string): ReadonlyMap<string, string> {
  const text = runbook.split(/^## /m).find((part) => part.startsWith(`${chapter}\n`)) ?? '';
  return new Map(text.split(/^### /m).slice(1).map((part) => [part.split('\n')[0] ?? '', part]));
}

/** Entries that do not say all of this. */
const lacking = (chapter: string, words: readonly RegExp[]) =>
  [...entries(chapter)].filter(([, text]) => words.some((word) => !word.test(text))).map(([name]) => name);

/** Of which a text has a folder deleted. */
const buckets = (text: string, folder: string) => all(text, new RegExp(`aws s3 rm "s3://\\$([A-Z_]+)/${folder}/[^\n]*`, 'g'));

/** As GitHub makes them. */
const headings = (path: string) =>
  all(read(path), /^#+ (.*)$/gm).map((heading) => heading.toLowerCase().replaceAll(/[^\w -]/g, '').replaceAll(' ', '-'));

const LEFT = `
  select string_agg(relname, ' ') as names from pg_class
  where relkind in ('r', 'v') and relnamespace in ('public'::regnamespace, 'pipeline'::regnamespace)`;

describe('the runbook', () => {
  test('has an entry for every alarm, and for no other', () => {
    const linked = all(terraform, /runbook_url\}#([\w-]+)"/g);
    expect(linked.length).toBeGreaterThan(5);
    expect([...entries('Alarms').keys()].toSorted()).toEqual(linked);
  });

  test('has an alarm behind each of these, by that name', () => {
    const named = all(terraform, /alarm_name += "\$\{(?:var\.name_prefix|local\.name)\}-([a-z-]+)"/g);
    expect([...entries('Alarms').keys()].toSorted()).toEqual(named);
  });

  test('has an entry for every kind of error, in the order of the table, and for bugs', () => {
    expect([...entries('Error kinds').keys()]).toEqual([...ERROR_KINDS, 'bug']);
  });

  test('says of everything what it means, what to do, and when it is over', () => {
    expect(lacking('Alarms', [/^\*\*Means\*\*/m, /^\*\*See\*\*/m, /^\*\*Do\*\*/m, /^\*\*Over\*\*/m])).toEqual([]);
    expect(lacking('Error kinds', [/^\*\*Means\*\*/m, /\*\*(Do|do)\*\*/, /\*\*By itself\*\*: /])).toEqual([]);
  });

  test('tells in its first 15 lines where to look', () => {
    const first = runbook.split('\n').slice(0, 15).join('\n');
    for (const word of ['SMS', 'lost', 'by itself', 'Dashboard', 'Logs', 'filter level', 'node dist/starling.js status']) {
      expect(first).toContain(word);
    }
    for (const name of ['INGESTION_BUCKET', 'PROCESSED_BUCKET', 'WAREHOUSE_SECRET_ARN']) expect(first).toContain(`${name}=`);
  });

  test('links to headings that exist', () => {
    const links = [...runbook.matchAll(/\]\(([A-Z]+\.md)?(?:#([\w-]+))?\)/g)];
    expect(links.length).toBeGreaterThan(15);
    const dead = links.filter(([, file = 'RUNBOOK.md', anchor]) => {
      if (!existsSync(`${root}docs/${file}`)) return true;
      return anchor !== undefined && !headings(`docs/${file}`).includes(anchor);
    });
    expect(dead.map(([link]) => link)).toEqual([]);
    const own = headings('docs/RUNBOOK.md');
    expect(own.length).toBe([...runbook.matchAll(/^#+ /gm)].length - [...shell.matchAll(/^#+ /gm)].length);
  });

  test('gives commands of Starling that exist, with settings that it takes', () => {
    const known = new Set(buildProgram('0', async () => undefined).commands.map((command) => command.name()));
    const given = all(runbook, /starling(?:\.js)? ([a-z]+)[`\n]/g);
    expect(given).toEqual(expect.arrayContaining(['status', 'load', 'compare']));
    expect(given.filter((name) => !known.has(name))).toEqual([]);
    const settings = all(runbook, /(?<!\$)\b((?:SOURCE|WAREHOUSE|INGESTION|PROCESSED)_[A-Z_]+)\b(?!_)/g);
    const taken = new Set([...Object.keys(SETTINGS), 'SOURCE_ADMIN_URL', 'WAREHOUSE_ADMIN_URL']);
    expect(settings.filter((name) => !taken.has(name))).toEqual([]);
  });

  test('names settings, queues, schedules and files that Terraform and the repository have', () => {
    const variables = new Set(all(terraform, /^variable "(\w+)"/gm));
    const settings = [
      'memory_mb', 'timeout_seconds', 'reserved_concurrency', 'freshness_alarm_seconds', 'noncurrent_version_days', 'paused',
      'source_secret_arn', 'warehouse_secret_arn', 'secret_kms_key_arns', 'source_url', 'warehouse_url', 'name_prefix',
    ];
    expect(settings.filter((name) => !runbook.includes(`\`${name}\``) || !variables.has(name))).toEqual([]);
    const suffixes = all(runbook, /"(?:\/aws\/lambda\/|alias\/)?\$NAME-([a-z-]+)"/g);
    expect(suffixes.length).toBeGreaterThan(3);
    const made = new Set([...all(terraform, /\$\{var\.name_prefix\}-([a-z-]+)"/g), 'ingest', 'transform', 'load']);
    expect(suffixes.filter((suffix) => !made.has(suffix))).toEqual([]);
    const files = all(runbook, /`((?:sql|src)\/[\w./-]+)`/g);
    expect(files.length).toBeGreaterThan(2);
    expect(files.filter((path) => !existsSync(`${root}${path}`))).toEqual([]);
    const titles = new Set(all(read('terraform/dashboard.tf'), /title += "([^"(]*[^"( ])/g));
    const widgets = ['Duration of a batch', 'Duration of an invocation', 'Rows in quarantine', 'Errors and time-outs'];
    expect(widgets.filter((title) => !titles.has(title) || !runbook.includes(`*${title}*`))).toEqual([]);
  });

  test('gives commands that are bash, with variables that are set somewhere', () => {
    const wrong = blocks('sh').filter((block) => spawnSync('bash', ['-n'], { input: block }).status !== 0);
    expect(wrong).toEqual([]);
    const set = new Set([...all(shell, /(?<![$\w])([A-Z_]+)=/g), ...all(shell, /\bfor ([A-Z_]+) in/g), 'STAGE', 'SOURCE_ADMIN_URL', 'WAREHOUSE_ADMIN_URL']);
    expect(all(runbook, /\$\{?([A-Z_]+)/g).filter((name) => !set.has(name))).toEqual([]);
  });

  test('lets the freshness alarm ring again after a pause: OK first, since only a change of state rings', () => {
    const commands = all(entries('Procedures').get('Pause and resume') ?? '', /^(aws cloudwatch \S+ --alarm-names? "\$NAME-freshness".*)$/gm);
    expect(commands).toHaveLength(3);
    expect(commands.find((command) => command.includes('set-alarm-state'))).toContain('--state-value OK');
    const order = ['disable-alarm-actions', 'set-alarm-state', 'enable-alarm-actions'].map((command) => shell.indexOf(`aws cloudwatch ${command} `));
    expect(order).not.toContain(-1);
    expect(order).toEqual(order.toSorted((one, other) => one - other));
  });

  test('pauses the workers of ranges too, and has them work again', () => {
    const pause = entries('Procedures').get('Pause and resume') ?? '';
    expect(pause).toMatch(/^ +aws lambda update-event-source-mapping --uuid "\$RANGES" --no-enabled$/m);
    expect(pause).toContain('`--enabled`');
  });

  test('deletes with a log the plans and marks of large batches', () => {
    const deleting = [...entries('Procedures')].filter(([, text]) => text.includes('aws s3 rm'));
    expect(deleting.map(([name]) => name)).toEqual(['Rebuild the processed bucket', 'Take batches back', 'Start over']);
    for (const [, text] of deleting) expect(buckets(text, 'split')).toEqual(buckets(text, 'log'));
  });

  test('gives queries that run', async () => {
    const warehouseUrl = await freshDatabase('runbook');
    await initialise({ model: totesys, warehouseUrl, warehouseSchema: 'public' });
    const client = await connectTo(warehouseUrl);
    const inline = all(runbook, /`(select [^`<]+)`/g);
    expect(inline.length).toBeGreaterThan(1);
    expect(sql.length).toBeGreaterThan(2);
    for (const query of [...inline, ...sql.filter((block) => !block.includes('\\gexec'))]) {
      await expect(client.query(query)).resolves.toBeDefined();
    }
  });

  test.runIf(hasPsql())('rebuilds a warehouse from nothing by what it says', async () => {
    const warehouseUrl = await freshDatabase('rebuilt');
    const context = { model: totesys, warehouseUrl, warehouseSchema: 'public' };
    const client = await connectTo(warehouseUrl);
    await initialise(context);
    await client.query('create role of_others; create table dim_of_others (); alter table dim_of_others owner to of_others');
    const owner = new URL(warehouseUrl).username;
    const script = sql.find((block) => block.includes('\\gexec'))?.replace("'starling_loader'", `'${owner}'`) ?? '';
    const argv = [warehouseUrl, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', '-'];
    const { status, stderr } = spawnSync('psql', argv, { input: script, encoding: 'utf8' });
    expect({ status, errors: /ERROR.*/.exec(stderr) }).toEqual({ status: 0, errors: null });
    expect((await client.query<{ names: string }>(LEFT)).rows).toEqual([{ names: 'dim_of_others' }]);
    expect((await initialise(context)).length).toBeGreaterThan(10);
    await client.query('drop table dim_of_others; drop role of_others');
  });
});

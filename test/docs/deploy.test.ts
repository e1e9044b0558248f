/** docs/DEPLOY.md is followed literally: what it names has to be there, and its commands have to follow from each other. */

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { readDatabaseUrl } from '../../src/shared/aws/secret.ts';
import { startMoto } from '../support/moto.ts';
import { awsEnvironment } from '../support/secrets.ts';
import {
  copyOfConfiguration, emptyBundles, findTerraform, removeTemporary, terraformIn,
} from '../terraform/terraform.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, 'utf8');
const filesIn = (path: string, ending: string): readonly string[] =>
  readdirSync(`${root}${path}`).filter((name) => name.endsWith(ending)).map((name) => `${path}/${name}`);

/** First groups of all matches, each once. */
function all(text: string, pattern: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(pattern)].flatMap(([, group]) => group ?? []))].toSorted();
}

const guide = read('docs/DEPLOY.md');
const steps = guide.split('\n# Afterwards\n')[0] ?? '';
const blocks = [...guide.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, block]) => block ?? []);
const code = blocks.join('');
const terraform = filesIn('terraform', '.tf').map(read).join('\n');
const bootstrap = filesIn('terraform/bootstrap', '.tf').map(read).join('\n');
const variables = new Set(all(terraform, /^variable "(\w+)"/gm));
const workflows = filesIn('.github/workflows', '.yml').map(read).join('\n');

describe('the deploy guide', () => {
  afterAll(() => {
    vi.unstubAllEnvs();
    secrets.close();
    secrets.closeAllConnections();
  });

  test('has ten steps, each with a command and what one sees', () => {
    const parts = steps.split(/^## /m).slice(1);
    expect(parts.map((part) => /^(\d+)\. /.exec(part)?.[1])).toEqual(['1', '2', '3', '4', '5', '6', '7', '8', '9', '10']);
    expect(parts.filter((part) => !part.includes('```sh') || !/^You see /m.test(part))).toEqual([]);
  });

  test('has commands that are bash', () => {
    expect(blocks.length).toBeGreaterThan(25);
    const wrong = blocks.filter((block) => spawnSync('bash', ['-n'], { input: block }).status !== 0);
    expect(wrong).toEqual([]);
  });

  test('asks only at the end of a block, so that what is pasted behind is no answer', () => {
    const asks = /^(?:read |terraform -chdir=\S+ (?:destroy|apply (?!"\$PLAN")))/;
    const lines = blocks.flatMap((block) => block.trimEnd().split('\n').slice(0, -1));
    expect(lines.filter((line) => asks.test(line))).toEqual([]);
    expect(blocks.filter((block) => asks.test(block.trimEnd().split('\n').at(-1) ?? '')).length).toBeGreaterThan(4);
  });

  test('uses no shell variable before it is set', () => {
    const known = new Set(['HOME']);
    const unset: string[] = [];
    // An assignment counts for the lines behind it, and for its own where it stands before the use.
    for (const line of code.split('\n')) {
      for (const [, set, used] of line.matchAll(/(?:(?<![$\w])([A-Z_]+)=|\$\{?([A-Z_]+))/g)) {
        if (set) known.add(set);
        if (used && !known.has(used)) unset.push(used);
      }
      for (const name of all(line, /^read .* ([A-Z_]+)$/g)) known.add(name);
    }
    expect(unset).toEqual([]);
    expect(known.size).toBeGreaterThan(25);
  });

  test('names files, make targets and headings that exist', () => {
    const paths = all(guide, /(?<![\w/.~-])((?:sql|scripts|terraform|src|docs)\/[\w/.-]*\w\.(?:sql|sh|tfvars|tf|md|ts))\b/g)
      .filter((path) => !path.endsWith('bootstrap/terraform.tfvars') && path !== 'terraform/backend.tf');
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !existsSync(`${root}${path}`))).toEqual([]);
    expect(['dev', 'prod'].filter((name) => !existsSync(`${root}terraform/env/${name}.tfvars`))).toEqual([]);
    const targets = new Set(all(read('Makefile'), /^([a-z-]+):/gm));
    expect(all(guide, /\bmake ([a-z-]+)\b(?=[`\n])/g).filter((target) => !targets.has(target))).toEqual([]);
    const headings = (text: string) => new Set(all(text, /^#+ (.*)$/gm).map(anchorOf));
    const links = [...guide.matchAll(/\]\(([A-Z]+\.md)?(?:#([\w-]+))?\)/g)];
    const dead = links.filter(([, file, anchor]) => {
      if (file && !existsSync(`${root}docs/${file}`)) return true;
      return anchor !== undefined && !headings(file ? read(`docs/${file}`) : guide).has(anchor);
    });
    expect(dead.map(([link]) => link)).toEqual([]);
    expect(links.length).toBeGreaterThan(8);
  });

  test('names variables, outputs and resources that Terraform has', () => {
    const declared = /^output "(\w+)"/gm;
    const known = new Map([['terraform', all(terraform, declared)], ['terraform/bootstrap', all(bootstrap, declared)]]);
    const asked = [...guide.matchAll(/-chdir=(terraform|terraform\/bootstrap) output (?:-raw|-json) (\w+)/g)];
    expect(asked.length).toBeGreaterThan(6);
    expect(asked.filter(([, where = '', name = '']) => !known.get(where)?.includes(name))).toEqual([]);
    const given = [...all(code, /-var (\w+)=/g), ...all(heredoc('"$GIVEN"'), /^(\w+) +=/gm), ...all(code, /printf '(\w+) = /g)];
    const settings = ['paused', 'source_url', 'warehouse_url', 'source_schema', 'schedule_expression', 'secret_kms_key_arns'];
    expect(given).toContain('vpc');
    expect([...given, ...settings].filter((name) => !variables.has(name))).toEqual([]);
    expect(settings.filter((name) => !guide.includes(name))).toEqual([]);
    const network = /variable "vpc" \{.*?^\}/ms.exec(terraform)?.[0] ?? '';
    const fields = all(heredoc('"$GIVEN"'), /^ {2}(\w+) +=/gm);
    expect(fields.filter((name) => !new RegExp(`^ +${name} +=`, 'm').test(network))).toEqual([]);
    const givenOnce = all(heredoc('terraform/bootstrap/terraform.tfvars'), /^(\w+) +=/gm);
    expect(givenOnce.filter((name) => !bootstrap.includes(`variable "${name}"`))).toEqual([]);
    expect([fields.length, givenOnce.length]).toEqual([5, 2]);
    const forgotten = all(code, /-chdir=terraform state rm (.*)/g).flatMap((line) => line.split(' '));
    expect(forgotten.filter((address) => !addresses(terraform).includes(address))).toEqual([]);
    const forgottenOnce = all(code, /-chdir=terraform\/bootstrap state rm (.*)/g);
    expect(forgottenOnce.filter((address) => !addresses(bootstrap).includes(address))).toEqual([]);
    expect([forgotten.length, forgottenOnce.length]).toEqual([4, 1]);
  });

  test('names functions, alarms and settings of functions as Terraform does', () => {
    const stages = new Set(all(terraform, /^ +stage += "(\w+)"/gm));
    const alarms = new Set(all(terraform, /alarm_name += "\$\{var\.name_prefix\}-([a-z-]+)"/g));
    expect(all(guide, /(?:function-name "|\/aws\/lambda\/)\$NAME-(\w+)/g).filter((name) => !stages.has(name))).toEqual([]);
    expect(all(guide, /alarm-name "\$NAME-([\w-]+)"/g).filter((name) => !alarms.has(name))).toEqual([]);
    const environment = all(guide, /`([A-Z_]{12,}=[^`]+)`/g);
    expect(environment).toEqual(['NODE_EXTRA_CA_CERTS=/var/runtime/ca-cert.pem']);
    const stage = read('terraform/modules/stage/main.tf');
    expect(environment.filter((setting) => !new RegExp(setting.replace('=', ' += "')).test(stage))).toEqual([]);
  });

  test('names the variables and inputs that the workflows take, and all of them', () => {
    const taken = all(workflows, /\bvars\.([A-Z_]+)/g);
    const told = all(guide, /(?:gh variable set |`)((?:DEV_|PROD_)?(?:AWS_REGION|\w+_ROLE_ARN|STATE_BUCKET|TFVARS))\b/g);
    expect(told).toEqual(taken);
    const secret = all(guide, /(?:gh secret set |`)((?:DEV|PROD)_\w+)\b/g).filter((name) => !taken.includes(name));
    expect(secret).toEqual(all(workflows, /\bsecrets\.([A-Z_]+)/g));
    const run = /gh workflow run (\S+) -f (\w+)=prod -f (\w+)=/.exec(guide)?.slice(1) ?? [];
    expect(run[0]).toBe('deploy.yml');
    const inputs = /workflow_dispatch:\n(.*?)^\w/ms.exec(read('.github/workflows/deploy.yml'))?.[1] ?? '';
    expect(all(inputs, /^ {6}(\w+):$/gm)).toEqual(run.slice(1));
  });

  test('keeps from GitHub\'s variables what Terraform calls sensitive, and gives it as a secret', () => {
    const sensitive = [...terraform.matchAll(/^variable "(\w+)" \{.*?^\}/gms)].filter(([text]) => /^ +sensitive += true$/m.test(text)).map(([, name]) => name);
    const lines = heredoc('"$GIVEN"').trimEnd().split('\n');
    const [, kept = ''] = /^grep -v '(.*)' "\$GIVEN" \| gh variable set PROD_TFVARS$/m.exec(code) ?? [];
    expect(code).toContain(`\ngrep '${kept}' "$GIVEN" | gh secret set PROD_CONTACTS\n`);
    // Each is whole in one line, or a part of it would stay in the variable.
    const contacts = lines.filter((line) => new RegExp(kept).test(line));
    expect(contacts.map((line) => /^(\w+) += \[.*\]$/.exec(line)?.[1])).toEqual(sensitive);
    expect(sensitive.length).toBe(2);
  });

  test.each(['source', 'warehouse'] as const)('has a secret of the %s that its stage can read', async (side) => {
    const values: Readonly<Record<string, string>> = {
      HOST: 'db.example.com', PORT: '5433', DATABASE: 'shop', PASSWORD: 'secret',
    };
    const json = heredoc(`"$SECRETS/${side}.json"`).replaceAll(/\$[A-Z]+_([A-Z]+)/g, (_, name: string) => values[name] ?? '');
    const role = side === 'source' ? 'starling_reader' : 'starling_loader';
    expect(await urlFrom(side, json)).toBe(`postgresql://${role}:secret@db.example.com:5433/shop`);
    expect(read(`sql/${side === 'source' ? 'source-reader' : 'warehouse-loader'}.sql`)).toContain(`\\set role ${role}\n`);
  });
});

const anchorOf = (heading: string) => heading.toLowerCase().replaceAll(/[^\w -]/g, '').replaceAll(' ', '-');

/** All that the guide writes to a file. */
function heredoc(file: string): string {
  const texts = [...code.matchAll(/^cat >>?(\S+) <<END\n(.*?)^END$/gms)].filter(([, name]) => name === file);
  if (texts.length === 0) throw new Error(`docs/DEPLOY.md does not write ${file}`);
  return texts.map(([, , text]) => text).join('');
}

function addresses(configuration: string): readonly string[] {
  const modules = all(configuration, /^module "(\w+)"/gm).map((name) => `module.${name}`);
  return [...modules, ...[...configuration.matchAll(/^resource "(\w+)" "(\w+)"/gm)].map(([, type, name]) => `${type}.${name}`)];
}

/** A Secrets Manager that has one secret, whatever it is asked for. */
let secret = '';
const secrets = createServer((_request, response) => response.end(JSON.stringify({ SecretString: secret })));

/** What the product makes of a secret. */
async function urlFrom(side: 'source' | 'warehouse', json: string): Promise<string> {
  if (!secrets.listening) await new Promise<void>((resolve) => void secrets.listen(0, '127.0.0.1', resolve));
  const address = secrets.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  vi.stubEnv('AWS_ENDPOINT_URL_SECRETS_MANAGER', `http://127.0.0.1:${address.port}`);
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) vi.stubEnv(name, 'test');
  vi.stubEnv('AWS_REGION', 'eu-west-2');
  secret = json;
  return readDatabaseUrl(side, { url: null, secretArn: arn(side) });
}

const found = await findTerraform();
const moto = found === null ? null : await startMoto();

const arn = (name: string) => `arn:aws:secretsmanager:eu-west-2:123456789012:secret:starling/${name}-AbCdEf`;

async function initialised(part: string) {
  const run = terraformIn(await copyOfConfiguration(part), { ...found, ...awsEnvironment({ endpoint: moto?.endpoint ?? '' }) });
  await run.init();
  return async (given: Readonly<Record<string, string>>): Promise<number> => {
    const flags = Object.entries(given).map(([name, value]) => `-var=${name}=${value}`);
    return Number(/^Plan: (\d+) to add/m.exec(await run.run('plan', '-input=false', '-no-color', ...flags))?.[1]);
  };
}

describe.runIf(found !== null && moto !== null)('the numbers of resources in the guide', () => {
  afterAll(async () => {
    removeTemporary();
    await moto?.stop();
  });

  test('are those of a plan', { timeout: 300_000 }, async () => {
    const given = { source_secret_arn: arn('source'), warehouse_secret_arn: arn('warehouse'), bundles: await emptyBundles() };
    const [vpc, subnet, group, routes] = ['vpc', 'subnet', 'sg', 'rtb'].map((kind) => `${kind}-0123456789abcdef0`);
    const network = `{id="${vpc}",subnet_ids=["${subnet}"],security_group_ids=["${group}"],route_table_ids=["${routes}"]}`;
    const planned = await initialised('.');
    const base = await planned(given);
    const told = await planned({ ...given, alert_emails: '["a@example.com"]', alert_phone_numbers: '["+447700900123"]' });
    const inVpc = await planned({ ...given, vpc: network });
    expect(guide).toContain(`\`Plan: ${told} to add, 0 to change, 0 to destroy\` (${base}, and one for each phone number and`);
    expect(guide).toContain(`${inVpc - base} more for endpoints in a VPC`);
    expect(told).toBe(base + 2);
    const once = await (await initialised('bootstrap'))({ repository: 'your-company/starling', secret_arns: `["${arn('source')}"]` });
    expect(guide).toContain(`\`Plan: ${once} to add\``);
  });
});

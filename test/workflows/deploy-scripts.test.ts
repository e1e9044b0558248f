import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasProgram } from '../support/skip.ts';
import { root } from './workflow.ts';

const hasJq = hasProgram('jq', 'some tests of scripts/deploy');

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'starling-test-deploy-'));
  mkdirSync(join(directory, 'bin'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = (name: string): string => join(directory, name);
const write = (name: string, text: string): string => {
  writeFileSync(path(name), text);
  return path(name);
};
const read = (name: string): string => readFileSync(path(name), 'utf8');

/** A program on the PATH in place of one that talks to the world; it appends its arguments to `calls`. */
function fake(name: string, program: string): void {
  const lines = ['#!/usr/bin/env bash', 'set -euo pipefail', `cd '${directory}'`, `echo "${name} $*" >>calls`, program];
  chmodSync(write(`bin/${name}`, lines.join('\n')), 0o755);
}

function script(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { status, stdout, stderr } = spawnSync(join(root, 'scripts/deploy', name), args, {
    cwd: directory,
    encoding: 'utf8',
    env: { PATH: `${path('bin')}:${process.env['PATH'] ?? ''}`, GITHUB_REPOSITORY: 'them/starling', ...env },
  });
  return { status, output: stdout + stderr, stdout };
}

/** Each invocation takes the next line of `answers`, or the last one again: exit status, what aws prints, what the function answers. */
const answers = (...lines: readonly (readonly [number, string, string])[]): void => {
  write('answers', lines.map(([status, said, answer]) => `${status}\t${said}\t${answer}\n`).join(''));
  fake(
    'aws',
    `echo "attempts: \${AWS_MAX_ATTEMPTS:-}" >>calls
     IFS=$'\\t' read -r status said answer <answers
     tail -n +2 answers >rest
     if [ -s rest ]; then mv rest answers; fi
     if [ "$status" -ne 0 ]; then echo "$said" >&2; exit "$status"; fi
     echo "$answer" >"\${@: -1}"
     echo "$said"`,
  );
};
const done = (head: number): [number, string, string] => [0, '{"StatusCode":200}', `{"stage":"x","batches":1,"head":${head}}`];
const smoke = (env: Readonly<Record<string, string>> = {}) =>
  script('smoke.sh', ['it-ingest', 'it-load'], { SMOKE_PAUSE_SECONDS: '0', ...env });

describe.skipIf(!hasJq)('smoke.sh', () => {
  test('invokes load until the ledger holds what ingest has committed', () => {
    answers(done(17), done(0), done(16), done(17));
    const { status, output } = smoke();
    expect({ status, output }).toMatchObject({ status: 0, output: expect.stringContaining('the ledger holds batch 17: ') });
    expect(read('calls').match(/--function-name \S+ --payload \S+/g)).toEqual(
      ['ingest', 'load', 'load', 'load'].map((stage) => `--function-name it-${stage} --payload {"wake":"deploy"}`),
    );
  });

  test('is content with a source in which nothing has ever changed', () => {
    answers(done(0), done(0));
    expect(smoke().status).toBe(0);
  });

  test('gives up when the ledger does not get there in time, and says how far it got', () => {
    answers(done(17), done(16));
    const { status, output } = smoke({ SMOKE_SECONDS: '2', SMOKE_PAUSE_SECONDS: '1' });
    expect(status).toBe(1);
    expect(output).toMatch(/::error title=Smoke test::the ledger holds batch 16, not 17, after \d s/);
  });

  test('fails at once when a function throws, with what it threw, in one line', () => {
    const thrown = '{"errorType":"PipelineError","errorMessage":"warehouse_denied:\\n::set-output:: check its user"}';
    answers(done(17), [0, '{"StatusCode":200,"FunctionError":"Unhandled"}', thrown]);
    const { status, output } = smoke({ SMOKE_SECONDS: '600', SMOKE_PAUSE_SECONDS: '60' });
    expect(status).toBe(1);
    expect(output).toMatch(/^::error.*it-load failed: PipelineError: warehouse_denied: ::set-output:: check its user.*RUNBOOK/m);
  });

  test('tries again when it is throttled', () => {
    answers([254, 'TooManyRequestsException: Rate Exceeded', ''], done(3), [255, 'Read timeout', ''], done(3));
    expect(smoke()).toMatchObject({ status: 0 });
    // Or each of its tries would be several of aws' own, of 910 s each.
    expect(new Set(read('calls').match(/^attempts: .*$/gm))).toEqual(new Set(['attempts: 1']));
  });

  test('does not try again what will not be allowed later either', () => {
    answers([254, 'AccessDeniedException: not authorized', '']);
    expect(smoke({ SMOKE_SECONDS: '600', SMOKE_PAUSE_SECONDS: '60' }).output).toContain('it-ingest could not be invoked');
  });

  test('fails when an answer has no head', () => {
    answers([0, '{"StatusCode":200}', 'null']);
    expect(smoke()).toMatchObject({ status: 1, output: expect.stringContaining('does not tell its head: null') });
  });
});

const summary = (text: string, env: Readonly<Record<string, string>> = {}) =>
  script('summary.sh', ['dev', write('plan.txt', text)], { GITHUB_RUN_ID: '5', ...env });

describe('summary.sh', () => {
  test('shows the plan whole, with its verdict first', () => {
    const { status, stdout } = summary('  # aws_s3_bucket.lake\n\nPlan: 1 to add, 0 to change, 0 to destroy.\n');
    expect(status).toBe(0);
    expect(stdout).toContain('### Terraform plan for `dev`\n\n**Plan: 1 to add, 0 to change, 0 to destroy.**');
    expect(stdout).toContain('~~~~~~~~~~\n  # aws_s3_bucket.lake\n\nPlan:');
    expect(stdout).not.toContain('Cut:');
  });

  test('cuts a long plan between lines, says so, and stays under the limit of a comment', () => {
    const lines = Array.from({ length: 9000 }, (_, line) => `  + größe "${line}"`);
    const { status, stdout } = summary(`${lines.join('\n')}\nPlan: 9000 to add, 0 to change, 0 to destroy.\n`);
    expect(status).toBe(0);
    expect(stdout.length).toBeLessThan(65_000);
    expect(stdout.length).toBeGreaterThan(50_000);
    expect(stdout).not.toContain('\uFFFD');
    expect(stdout).toContain('**Plan: 9000 to add');
    expect(stdout).toMatch(/\n {2}\+ größe "\d+"\n~{10}\n\n<\/details>\n\nCut: .*`plan-dev` of \S+\/them\/starling\/actions\/runs\/5\n$/);
  });

  test('cannot be made to end its own quotation', () => {
    const { stdout } = summary('~~~~~~~~~~~~\n@everyone\nPlan: 1 to add, 0 to change, 0 to destroy.\n');
    expect(stdout.match(/^~{4,}$/gm)).toHaveLength(2);
  });
});

const comment = (existing: unknown) => {
  write('existing.json', JSON.stringify(existing));
  fake('gh', 'case "$*" in *--paginate*) cat existing.json ;; *) last=$*; cat "${last##*@}" ;; esac');
  return script('comment.sh', ['7', 'plan-dev', write('body.md', 'the plan')]);
};
const MARKER = '<!-- starling: plan-dev -->';
const bot = { login: 'github-actions[bot]' };

describe.skipIf(!hasJq)('comment.sh', () => {
  test('posts a comment where there is none of its own', () => {
    const { status, stdout } = comment([
      { id: 1, user: { login: 'somebody' }, body: `${MARKER}\nhello` },
      { id: 2, user: bot, body: '<!-- starling: plan-prod -->' },
    ]);
    expect(status).toBe(0);
    expect(read('calls')).toMatch(/gh api --silent --method POST repos\/them\/starling\/issues\/7\/comments -F body=@/);
    expect(stdout).toBe(`${MARKER}\nthe plan`);
  });

  test('updates the one that it posted before', () => {
    expect(comment([{ id: 3, user: bot, body: `${MARKER}\nolder` }]).status).toBe(0);
    expect(read('calls')).toMatch(/gh api --silent --method PATCH repos\/them\/starling\/issues\/comments\/3 -F body=@/);
  });
});

describe('bundle-sizes.sh', () => {
  test('prints the size of each bundle, and fails when one is over the limit', () => {
    const zips = [write('ingest.zip', 'x'.repeat(2048)), write('load.zip', 'x'.repeat(5000))];
    const summary = { GITHUB_STEP_SUMMARY: path('summary.md') };
    const fits = script('bundle-sizes.sh', zips, summary);
    expect(fits).toMatchObject({ status: 0, output: expect.stringContaining('| ingest.zip | 2 | 0 % |') });
    expect(read('summary.md')).toBe(fits.stdout);
    const { status, output } = script('bundle-sizes.sh', zips, { ...summary, BUNDLE_BYTES: '4096' });
    expect({ status, output }).toMatchObject({ status: 1, output: expect.stringContaining('load.zip has 5000 bytes; 4096') });
  });

  test('fails where there is no bundle', () => {
    expect(script('bundle-sizes.sh', [path('*.zip')]).status).not.toBe(0);
  });
});

const init = (env: Readonly<Record<string, string>> = {}) => {
  write('terraform/backend.tf.example', 'terraform {}');
  write('terraform/env/prod.s3.tfbackend.example', '');
  fake('terraform', ':');
  const { status, output } = script('init.sh', ['prod'], { AWS_REGION: 'eu-west-2', ...env });
  return { status, output, command: status === 0 ? read('calls').trim() : null };
};
const INIT = 'terraform -chdir=terraform init -input=false -reconfigure -backend-config=env/prod.s3.tfbackend';
const ELSEWHERE = '-backend-config=bucket=mine -backend-config=region=eu-west-2';

describe('init.sh', () => {
  beforeEach(() => mkdirSync(path('terraform/env'), { recursive: true }));

  test('takes the bucket that it is told where none is committed', () => {
    expect(init({ STATE_BUCKET: 'mine' }).command).toBe(`${INIT}.example ${ELSEWHERE}`);
    expect(read('terraform/backend.tf')).toBe('terraform {}');
  });

  test('takes the state that is committed, unless it is told another bucket', () => {
    write('terraform/env/prod.s3.tfbackend', '');
    expect(init().command).toBe(INIT);
    rmSync(path('calls'));
    expect(init({ STATE_BUCKET: 'mine' }).command).toBe(`${INIT} ${ELSEWHERE}`);
  });

  test('never takes the bucket of the example', () => {
    expect(init()).toMatchObject({ status: 1, output: expect.stringContaining('STATE_BUCKET: is not set') });
  });
});

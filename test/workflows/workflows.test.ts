import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { lint } from './language-service.ts';
import { openLinter } from './linter.ts';
import * as rules from './rules.ts';
import { parseWorkflow, readWorkflows, root } from './workflow.ts';

const workflows = readWorkflows();

/** A workflow that is right, to plant a mistake into. */
const RIGHT = `on: push
permissions: {}
defaults:
  run:
    shell: bash -euo pipefail {0}
jobs:
  first:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          persist-credentials: false
      - id: say
        if: github.actor != 'nobody'
        run: echo "\${GREETING:-hello}"
  second:
    needs: [first]
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    steps:
      - run: echo done
`;

describe('the linter', () => {
  let find: typeof lint;
  beforeAll(async () => {
    find = await openLinter();
  });

  test.each(workflows)('finds nothing in $file', async ({ file, text }) => {
    expect(await find(file, text, root)).toEqual([]);
  });

  test.each([
    ['an unknown key', 'timeout-minutes', 'timeout-minuts', "Unexpected value 'timeout-minuts'"],
    ['a job that needs one that is not there', '[first]', '[first, third]', "unknown job 'third'"],
    ['an event that does not exist', 'on: push', 'on: pushed', "Unexpected value 'pushed'"],
    ['an expression that is cut off', "!= 'nobody'", '!=', 'Unexpected end of expression'],
    ['a step that is not there', 'echo done', 'echo ${{ needs.third.outputs.x }}', 'third'],
    ['an unknown permission', 'permissions: {}', 'permissions: {id-tokens: write}', "Unexpected value 'id-tokens'"],
  ])('finds %s', async (_, right, wrong, message) => {
    expect(await find('right.yml', RIGHT, root)).toEqual([]);
    expect((await find('wrong.yml', RIGHT.replaceAll(right, wrong), root)).join('\n')).toContain(message);
  });

  test('finds an input that a called workflow does not take', async () => {
    const deploy = workflows.find(({ file }) => file === 'deploy.yml')?.text ?? '';
    expect(await find('deploy.yml', deploy.replace('plan-role:', 'plan-rolle:'), root)).not.toEqual([]);
    expect(await find('deploy.yml', deploy.replace('contacts:', 'contact:'), root)).not.toEqual([]);
  });
});

const UPLOAD = '      - uses: actions/upload-artifact@v4\n';
const UPLOADED = `${UPLOAD}        with:\n          path: `;

describe('every workflow', () => {
  test.each([
    ['pins actions to a commit and says which version that is', rules.pinsActions, 'echo done\n', `echo done\n${UPLOAD}`],
    ['says what the token may do', rules.limitsPermissions, 'permissions: {}', ''],
    ['never lets the token do everything', rules.limitsPermissions, 'permissions: {}', 'permissions: write-all'],
    ['does not run with its own rights for others', rules.runsOnNobodysBehalf, 'on: push', 'on: pull_request_target'],
    ['expands nothing inside a shell', rules.expandsNothingInShells, 'echo done', 'echo ${{ github.event.issue.title }}'],
    ['has no long-lived key', rules.hasNoLongLivedKey, 'echo done', 'echo ${{ secrets.AWS_KEY }}'],
    ['has no secret beside the contacts', rules.hasNoLongLivedKey, 'echo done', 'echo ${{ secrets.CONTACTS_KEY }}'],
    ['publishes no plan', rules.publishesNoPlan, 'echo done\n', `echo done\n${UPLOADED}plan\n`],
    ['publishes no plan among other files', rules.publishesNoPlan, 'echo done\n', `echo done\n${UPLOADED}|\n            plan.txt\n            plan.tfplan\n`],
    ['limits the time of every job', rules.limitsTime, '    timeout-minutes: 5\n', ''],
    ['leaves no token in the checkout', rules.keepsNoCredentials, 'persist-credentials: false', 'fetch-depth: 1'],
    ['stops at the first error', rules.stopsAtErrors, 'bash -euo pipefail {0}', 'bash'],
    ['has shell scripts that bash can read', rules.isBash, 'echo done', 'echo "done'],
  ])('%s', (_, rule, right, wrong) => {
    expect(workflows.flatMap((workflow) => rule(workflow).map((offence) => `${workflow.file}: ${offence}`))).toEqual([]);
    expect(rule(parseWorkflow('right.yml', RIGHT))).toEqual([]);
    expect(rule(parseWorkflow('wrong.yml', RIGHT.replaceAll(right, wrong)))).not.toEqual([]);
  });
});

describe('all workflows', () => {
  const texts = workflows.map(({ text }) => text).join('\n');

  test('are the ones that are known', () => {
    expect(workflows.map(({ file }) => file).toSorted()).toEqual(['ci.yml', 'deploy-environment.yml', 'deploy.yml']);
  });

  test('write nothing but the comment, and identify themselves only where they talk to AWS', () => {
    expect(workflows.flatMap(rules.writes).toSorted()).toEqual([
      'deploy-environment.yml apply: id-token',
      'deploy-environment.yml plan: id-token',
      'deploy.yml comment: pull-requests',
      'deploy.yml dev: id-token',
      'deploy.yml prod: id-token',
    ]);
  });

  test('use the same version of an action everywhere', () => {
    const pins = new Set([...texts.matchAll(/uses: ([^.\s]\S+@.*)$/gm)].map((match) => match[1] ?? ''));
    const actions = [...pins].map((pin) => pin.split('@')[0]);
    expect(actions).toHaveLength(new Set(actions).size);
    expect(actions.length).toBeGreaterThan(5);
  });

  test('call scripts that are there and can be executed', () => {
    const scripts = new Set([...texts.matchAll(/scripts\/deploy\/[\w-]+\.sh/g)].map(([script]) => script));
    for (const script of scripts) accessSync(join(root, script), constants.X_OK);
    expect(scripts.size).toBe(5);
  });

  test('show the contacts to nobody: they come as secrets, and what has them in clear is gone after a day', () => {
    expect(texts.match(/\bsecrets\.\w+/g)).toEqual(['secrets.contacts', 'secrets.DEV_CONTACTS', 'secrets.PROD_CONTACTS']);
    const uploads = workflows.flatMap(({ jobs }) =>
      Object.values(jobs).flatMap(({ steps }) => steps.filter((step) => String(step.with['path']).includes('tfplan'))),
    );
    expect(uploads.map((step) => [step.if, step.with['retention-days']])).toEqual([[expect.stringMatching(/^inputs\.apply && /), 1]]);
  });

  test('assume the role that deploys only in an environment, which is where the approval is', () => {
    const deploying = workflows.flatMap(({ jobs }) =>
      Object.values(jobs).filter((job) => JSON.stringify(job).includes('vars.DEPLOY_ROLE_ARN')),
    );
    expect(deploying.map(({ environment }) => environment)).toEqual(['${{ inputs.environment }}']);
  });
});

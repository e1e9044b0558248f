import { spawnSync } from 'node:child_process';
import type { Step, Workflow } from './workflow.ts';

/** What a workflow does that it must not; empty: nothing. */
export type Rule = (workflow: Workflow) => readonly string[];

const SHELL = 'bash -euo pipefail {0}';
const PINNED = /^[\w.-]+(\/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/;

const jobsOf = ({ jobs }: Workflow) => Object.entries(jobs).map(([id, job]) => ({ id, job }));

const stepsOf = (workflow: Workflow) =>
  jobsOf(workflow).flatMap(({ id, job }) => job.steps.map((step, index) => ({ where: `${id}, step ${index + 1}`, step })));

const matchesOf = (text: string, pattern: RegExp): readonly string[] => [...text.matchAll(pattern)].map(([match]) => match);

/** A tag can be moved to another commit; the comment is what people and dependabot read. */
export const pinsActions: Rule = ({ text }) =>
  [...text.matchAll(/^[ -]*uses: *(.*)$/gm)]
    .map((match) => match[1] ?? '')
    .filter((uses) => !uses.startsWith('./') && !PINNED.test(uses));

/** What is not said is what the repository's settings give, which may be everything. */
export const limitsPermissions: Rule = (workflow) => {
  const { permissions } = workflow;
  const all = [...jobsOf(workflow).map(({ job }) => job.permissions), permissions];
  return [
    ...(permissions === undefined ? ['the workflow has no permissions'] : []),
    ...all.filter((given) => typeof given === 'string'),
  ];
};

/** These run with the rights of the repository on behalf of anybody. */
export const runsOnNobodysBehalf: Rule = ({ text }) => matchesOf(text, /pull_request_target|workflow_run|issue_comment/g);

/** What is expanded before the shell sees it is program, not data. All of it comes by `env`, so that nobody has to think. */
export const expandsNothingInShells: Rule = (workflow) =>
  stepsOf(workflow).flatMap(({ where, step }) =>
    [step.run, step.with['script']].flatMap((program) =>
      typeof program === 'string' ? matchesOf(program, /\$\{\{[^}]*\}\}/g).map((expression) => `${where}: ${expression}`) : [],
    ),
  );

/** The only secrets are whom the alarms tell: phone numbers and addresses. */
const CONTACTS = String.raw`secrets\.(?:contacts|(?:DEV|PROD)_CONTACTS) \}\}`;
const KEYS = String.raw`aws[-_]access[-_]key[-_]id|aws[-_]secret[-_]access[-_]key|AKIA[0-9A-Z]{16}|secrets: *inherit|(?!${CONTACTS})secrets[.[].*`;

export const hasNoLongLivedKey: Rule = ({ text }) => matchesOf(text, new RegExp(KEYS, 'gi'));

/** The default is six hours. Jobs of a called workflow have their own. */
export const limitsTime: Rule = (workflow) =>
  jobsOf(workflow)
    .filter(({ job }) => job.uses === undefined && job['timeout-minutes'] === undefined)
    .map(({ id }) => id);

/** Or the token stays in .git/config, for every program that runs later. */
export const keepsNoCredentials: Rule = (workflow) =>
  stepsOf(workflow)
    .filter(({ step }) => step.uses?.startsWith('actions/checkout@') && step.with['persist-credentials'] !== false)
    .map(({ where }) => where);

export const stopsAtErrors: Rule = (workflow) => [
  ...(workflow.defaults?.run.shell === SHELL ? [] : [`the default shell is not ${SHELL}`]),
  ...stepsOf(workflow).flatMap(({ where, step }) => (step.shell === undefined ? [] : [`${where}: ${step.shell}`])),
];

export const isBash: Rule = (workflow) =>
  stepsOf(workflow).flatMap(({ where, step }) => {
    const { status, stderr } = spawnSync('bash', ['-n'], { input: step.run ?? '', encoding: 'utf8' });
    return status === 0 ? [] : [`${where}: ${stderr}`];
  });

/** Plans hold the values of sensitive variables in clear, and whoever may read a repository can download its artifacts. */
export const publishesNoPlan: Rule = (workflow) =>
  stepsOf(workflow)
    .filter(({ step }) => step.uses?.startsWith('actions/upload-artifact@') === true)
    .filter(({ step }) => !isForAnApply(step) && /plan\/?$|\.tfplan/m.test(String(step.with['path']).trim()))
    .map(({ where }) => where);

const isForAnApply = (step: Step): boolean =>
  step.if?.startsWith('inputs.apply && ') === true && step.with['path'] === 'plan/plan.tfplan' && step.with['retention-days'] === 1;

/** `file job: scope` of all that may be written. */
export const writes: Rule = (workflow) =>
  jobsOf(workflow).flatMap(({ id, job }) =>
    Object.entries(typeof job.permissions === 'object' ? job.permissions : {})
      .filter(([, access]) => access !== 'read')
      .map(([scope]) => `${workflow.file} ${id}: ${scope}`),
  );

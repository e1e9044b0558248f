import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as v from 'valibot';
import { parse } from 'yaml';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const permissions = v.union([v.string(), v.record(v.string(), v.string())]);
const values = v.record(v.string(), v.unknown());

const step = v.looseObject({
  if: v.optional(v.string()),
  uses: v.optional(v.string()),
  run: v.optional(v.string()),
  shell: v.optional(v.string()),
  with: v.optional(values, {}),
});

const job = v.looseObject({
  permissions: v.optional(permissions),
  environment: v.optional(v.unknown()),
  uses: v.optional(v.string()),
  'timeout-minutes': v.optional(v.number()),
  steps: v.optional(v.array(step), []),
});

const workflow = v.looseObject({
  on: v.unknown(),
  permissions: v.optional(permissions),
  defaults: v.optional(v.object({ run: v.object({ shell: v.string() }) })),
  jobs: v.record(v.string(), job),
});

export type Step = v.InferOutput<typeof step>;

export interface Workflow extends v.InferOutput<typeof workflow> {
  readonly file: string;
  readonly text: string;
}

export function parseWorkflow(file: string, text: string): Workflow {
  return { ...v.parse(workflow, parse(text)), file, text };
}

export function readWorkflows(): readonly Workflow[] {
  const directory = join(root, '.github', 'workflows');
  return readdirSync(directory).map((file) => parseWorkflow(file, readFileSync(join(directory, file), 'utf8')));
}

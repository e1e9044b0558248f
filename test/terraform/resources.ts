/** What `terraform show -json` says, parsed, and the policies in it. */

import * as v from 'valibot';

const resourceSchema = v.object({
  address: v.string(),
  mode: v.picklist(['managed', 'data']),
  type: v.string(),
  name: v.string(),
  values: v.record(v.string(), v.unknown()),
});

export type Resource = v.InferOutput<typeof resourceSchema>;

interface Module {
  readonly resources?: readonly Resource[] | undefined;
  readonly child_modules?: readonly Module[] | undefined;
}

const moduleSchema: v.GenericSchema<unknown, Module> = v.object({
  resources: v.optional(v.array(resourceSchema)),
  child_modules: v.optional(v.array(v.lazy(() => moduleSchema))),
});

const stateSchema = v.object({ values: v.object({ root_module: moduleSchema }) });

/** All resources of a state, those of modules and data sources too. */
export function resourcesOf(state: unknown): readonly Resource[] {
  const below = ({ resources = [], child_modules = [] }: Module): readonly Resource[] => [
    ...resources, ...child_modules.flatMap(below),
  ];
  return below(v.parse(stateSchema, state).values.root_module);
}

/** Those that Terraform made. */
export const managedResourcesOf = (state: unknown): readonly Resource[] => resourcesOf(state).filter(({ mode }) => mode === 'managed');

const oneOrMore = v.pipe(
  v.union([v.string(), v.array(v.string())]),
  v.transform((value) => (typeof value === 'string' ? [value] : value).toSorted()),
);

const statementSchema = v.object({
  Sid: v.optional(v.string(), ''),
  Effect: v.picklist(['Allow', 'Deny']),
  Action: v.optional(oneOrMore, []),
  Resource: v.optional(oneOrMore, []),
  Principal: v.optional(v.unknown()),
  Condition: v.optional(v.record(v.string(), v.record(v.string(), oneOrMore)), {}),
  NotAction: v.optional(v.never()),
  NotResource: v.optional(v.never()),
  NotPrincipal: v.optional(v.never()),
});

const documentSchema = v.object({ Statement: v.union([v.array(statementSchema), v.pipe(statementSchema, v.transform((one) => [one]))]) });

export type Statement = v.InferOutput<typeof statementSchema>;

export interface Policy {
  /** The resource's address, and the attribute. */
  readonly where: string;
  readonly resource: Resource;
  readonly statements: readonly Statement[];
}

export const statementsOf = (json: unknown): readonly Statement[] => {
  const { Statement: statements } = v.parse(documentSchema, JSON.parse(v.parse(v.string(), json)));
  return statements;
};

/** Where a `policy` is AWS' own default: of endpoints, and of a topic before it gets its aws_sns_topic_policy. */
const NOT_OURS = new Set(['aws_vpc_endpoint', 'aws_sns_topic']);

/** Every attribute that is a policy document, of whatever resource. */
export function policiesOf(resources: readonly Resource[]): readonly Policy[] {
  return resources.filter(({ type }) => !NOT_OURS.has(type)).flatMap((resource) =>
    Object.entries(resource.values)
      .filter(([, value]) => typeof value === 'string' && value.startsWith('{') && value.includes('"Statement"'))
      .map(([attribute, value]) => ({ where: `${resource.address}.${attribute}`, resource, statements: statementsOf(value) })),
  );
}

/** Whether it is for keys that are there, whichever. */
export const isForKeys = ({ Resource }: Statement): boolean => Resource.some((resource) => resource === '*' || resource.endsWith(':key/*'));

/** What a statement allows, in a line an action and resource: `s3:PutObject arn:…/log/*`. */
export const linesOf = (statements: readonly Statement[]): readonly string[] =>
  statements
    .flatMap(({ Effect, Action, Resource, Condition }) => {
      const condition = Object.keys(Condition).length > 0 ? ` if ${JSON.stringify(Condition)}` : '';
      return Action.flatMap((action) => Resource.map((resource) => `${Effect} ${action} ${resource}${condition}`));
    })
    .toSorted();

import * as v from 'valibot';

/**
 * Evaluates IAM policies as AWS does, for what Starling's use of them: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
 * moto knows neither resources of bucket policies nor conditions. What is not known here is an error, never a yes.
 */
export interface Ask {
  readonly action: string;
  readonly resource: string;
  /** Condition keys of the request, in lower case. */
  readonly context: Readonly<Record<string, string>>;
}

const several = v.pipe(
  v.union([v.string(), v.array(v.string())]),
  v.transform((value) => (typeof value === 'string' ? [value] : value)),
);
const statementSchema = v.strictObject({
  Sid: v.optional(v.string()),
  Effect: v.picklist(['Allow', 'Deny']),
  Action: several,
  Resource: several,
  Principal: v.optional(v.union([v.literal('*'), v.record(v.string(), several)])),
  Condition: v.optional(v.record(v.string(), v.record(v.string(), several)), {}),
});
type Statement = v.InferOutput<typeof statementSchema>;

const policySchema = v.object({ Statement: v.array(statementSchema) });
export type Policy = v.InferOutput<typeof policySchema>;

export function parsePolicy(json: string): Policy {
  return v.parse(policySchema, JSON.parse(json));
}

/**
 * @param own the policies of the role.
 * @param theirs those of what is asked for (a bucket's).
 */
export function isAllowed(ask: Ask, role: string, own: readonly Policy[], theirs: readonly Policy[]): boolean {
  const ofRole = own.flatMap((policy) => policy.Statement).filter((statement) => applies(statement, ask));
  const ofResource = theirs
    .flatMap((policy) => policy.Statement)
    .filter((statement) => isFor(statement, role) && applies(statement, ask));
  if ([...ofRole, ...ofResource].some(({ Effect }) => Effect === 'Deny')) return false;
  return [...ofRole, ...ofResource].some(({ Effect }) => Effect === 'Allow');
}

function isFor({ Principal }: Statement, role: string): boolean {
  if (Principal === undefined || Principal === '*') return true;
  return (Principal['AWS'] ?? []).some((principal) => principal === '*' || principal === role);
}

function applies(statement: Statement, { action, resource, context }: Ask): boolean {
  const isAction = statement.Action.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase()));
  const isResource = statement.Resource.some((pattern) => matches(pattern, resource));
  return isAction && isResource && holds(statement.Condition, context);
}

function holds(condition: Statement['Condition'], context: Ask['context']): boolean {
  return Object.entries(condition).every(([operator, keys]) =>
    Object.entries(keys).every(([key, wanted]) => isTrue(operator, context[key.toLowerCase()], wanted)),
  );
}

function isTrue(operator: string, actual: string | undefined, wanted: readonly string[]): boolean {
  switch (operator) {
    case 'Null':
      return wanted.includes(String(actual === undefined));
    case 'StringEquals':
    case 'ArnEquals':
    case 'Bool':
      return actual !== undefined && wanted.includes(actual);
    // What a request does not say is not equal either.
    case 'StringNotEquals':
      return actual === undefined || !wanted.includes(actual);
    case 'StringLike':
    case 'ArnLike':
      return actual !== undefined && wanted.some((pattern) => matches(pattern, actual));
    default:
      throw new Error(`the condition operator ${operator} is not known here`);
  }
}

/** `*` is any run of characters, `?` any one. */
function matches(pattern: string, text: string): boolean {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(text);
}

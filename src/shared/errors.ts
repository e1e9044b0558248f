/**
 * The one error of the pipeline, and the one table that says what each kind means to whoever is on call.
 *
 * A `PipelineError` is something that can happen to correct code: a source that is down, a model that names a
 * column that is not there. Anything else that is thrown is a bug.
 */

/** When trying the same thing again can help without anybody doing anything. */
type Retry = 'soon' | 'next_run' | 'never';

interface Remedy {
  readonly retry: Retry;
  /** What to do about it, in one sentence. */
  readonly hint: string;
  /** The same for an SMS: at most 70 characters of the GSM alphabet, so that one message holds it. */
  readonly sms: string;
}

const REMEDIES = {
  config: {
    retry: 'never',
    hint: 'Correct the setting and start again; see `starling --help`.',
    sms: 'correct the setting that the log names and deploy',
  },
  model: {
    retry: 'never',
    hint: 'Correct the declaration in src/models and build again.',
    sms: 'correct the declaration and deploy',
  },
  model_mismatch: {
    retry: 'next_run',
    hint: 'The stages run different models: deploy the same build to all of them.',
    sms: 'deploy the same build to all three stages',
  },
  key_not_unique: {
    retry: 'never',
    hint: 'Make the key unique, or declare one that is; the batch stays as it is: `starling skip` has it go on without the table.',
    sms: 'a declared key has two rows: see the runbook',
  },

  secret_denied: {
    retry: 'next_run',
    hint: 'Check that the ARN is right and that the role may read the secret and use its KMS key.',
    sms: 'check the ARN of the secret and the right of the role to read it',
  },
  secret_malformed: {
    retry: 'next_run',
    hint: "Put RDS' JSON (username, password, host, port, dbname) or a postgresql:// URL into the secret.",
    sms: "put RDS' JSON or a postgresql:// URL into the secret",
  },
  secret_unavailable: {
    retry: 'soon',
    hint: 'Secrets Manager did not answer: in a VPC, check its endpoint; the next run tries again.',
    sms: 'Secrets Manager does not answer: check VPC endpoints; it tries again',
  },

  source_unreachable: {
    retry: 'next_run',
    hint: 'Check that the source is up and that SOURCE_URL leads to it.',
    sms: 'check that the source is up and can be reached',
  },
  source_denied: {
    retry: 'next_run',
    hint: 'Check user, password and grants: the source user needs SELECT on the declared tables.',
    sms: 'check user, password and grants of the source',
  },
  source_structure: {
    retry: 'next_run',
    hint: 'Make declaration and source agree: mend the source, or declare what it has now.',
    sms: 'the source differs from its declaration: make them agree',
  },
  source_strategy: {
    retry: 'next_run',
    hint: "Declare the table with strategy 'full' (or 'cursor').",
    sms: "declare the table with strategy 'full'",
  },
  source_hidden: {
    retry: 'next_run',
    hint: 'Give the source user BYPASSRLS, or exempt it from the policies.',
    sms: 'row-level security hides rows: give the source user BYPASSRLS',
  },
  source_locked: {
    retry: 'next_run',
    hint: 'A table was locked by somebody else, often an ALTER TABLE; the next run tries again.',
    sms: 'a source table is locked: end that session, or wait',
  },
  source_behind: {
    retry: 'next_run',
    hint: 'The source went back in time. A lagging replica catches up; after a restore run `starling ingest --whole`.',
    sms: 'the source went back: after a restore, ingest with whole=true',
  },
  source_busy: {
    retry: 'soon',
    hint: 'Raise the limit that the message names (of the server, the database, the role or the pooler), or end idle sessions.',
    sms: 'the source has no connection free: end idle sessions, or raise limit',
  },
  source_full: {
    retry: 'next_run',
    hint: 'The disk of the source is full: free some space; it carries on by itself.',
    sms: 'the disk of the source is full: free some space',
  },
  source_failed: {
    retry: 'next_run',
    hint: 'Look up the SQLSTATE in the message; the next run tries again.',
    sms: 'look up the SQLSTATE in the log',
  },

  lake_unavailable: {
    retry: 'soon',
    hint: 'The lake did not answer or refused for now; the next run tries again.',
    sms: 'S3 does not answer or says to wait: it tries again',
  },
  lake_denied: {
    retry: 'next_run',
    hint: 'Check the rights on the lake: bucket policy, KMS key, or the directory and its owner.',
    sms: 'check bucket policy, role and KMS key',
  },
  lake_full: {
    retry: 'next_run',
    hint: 'The disk under the lake is full: free some space; it carries on by itself.',
    sms: 'the disk of the lake is full: free some space',
  },
  lake_missing: {
    retry: 'next_run',
    hint: 'An object that the log names is gone: restore it from its versions.',
    sms: 'an object that the log names is gone: restore its version',
  },
  lake_corrupt: {
    retry: 'next_run',
    hint: 'Restore the object from its versions, or rebuild this lake from the one before it.',
    sms: 'an object cannot be read: restore its version',
  },
  lake_foreign: {
    retry: 'never',
    hint: 'Lake and warehouse do not belong together: point at the lake that this warehouse was loaded from, or at an empty warehouse.',
    sms: 'lake and warehouse do not belong together',
  },

  queue_denied: {
    retry: 'next_run',
    hint: "Check the role's rights on the queue of ranges, and the queue's policy.",
    sms: 'check the rights of the role on its queue of ranges',
  },
  queue_unavailable: {
    retry: 'soon',
    hint: 'SQS did not answer: in a VPC, check its endpoint; the next run tries again.',
    sms: 'SQS does not answer: check VPC endpoints; it tries again',
  },

  warehouse_unreachable: {
    retry: 'next_run',
    hint: 'Check that the warehouse is up and that WAREHOUSE_URL leads to it.',
    sms: 'check that the warehouse is up and can be reached',
  },
  warehouse_denied: {
    retry: 'next_run',
    hint: 'Check user, password and grants: the warehouse user must own its schemas.',
    sms: 'check user, password and ownership of the warehouse',
  },
  warehouse_locked: {
    retry: 'next_run',
    hint: 'Somebody holds a lock on a warehouse table; end that session; the next run tries again.',
    sms: 'a warehouse table is locked: end that session',
  },
  warehouse_schema: {
    retry: 'never',
    hint: 'Run `starling init` if nothing is loaded yet or the model has grown; else mend the table or the model.',
    sms: 'a warehouse table is not what the model says: see the log',
  },
  warehouse_busy: {
    retry: 'soon',
    hint: 'Raise the limit that the message names (of the server, the database, the role or the pooler), or end idle sessions.',
    sms: 'the warehouse has no connection free: end idle sessions, raise limit',
  },
  warehouse_full: {
    retry: 'next_run',
    hint: 'The disk of the warehouse is full: free some space; it carries on by itself.',
    sms: 'the disk of the warehouse is full: free some space',
  },
  warehouse_failed: {
    retry: 'next_run',
    hint: 'Look up the SQLSTATE in the message; the next run tries again.',
    sms: 'look up the SQLSTATE in the log',
  },

  local: {
    retry: 'never',
    hint: 'See the server log under .starling; `starling stop` and a new run start the server afresh.',
    sms: 'see the server log under .starling',
  },
} as const satisfies Record<string, Remedy>;

export type ErrorKind = keyof typeof REMEDIES;

export const ERROR_KINDS = Object.freeze(Object.keys(REMEDIES));

/** Where it happened. Never a cell's value, never a secret. */
export interface ErrorContext {
  readonly stage?: string;
  readonly batch?: number;
  readonly table?: string;
  readonly column?: string;
  readonly key?: string;
  readonly sqlstate?: string;
}

export class PipelineError extends Error {
  override readonly name = 'PipelineError';
  readonly kind: ErrorKind;
  readonly context: ErrorContext;

  constructor(kind: ErrorKind, message: string, context: ErrorContext = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.context = context;
  }

  get hint(): string {
    return REMEDIES[this.kind].hint;
  }

  /** The hint as an SMS has room for it. */
  get sms(): string {
    return REMEDIES[this.kind].sms;
  }

  get retry(): Retry {
    return REMEDIES[this.kind].retry;
  }

  /** The same error, told from further out: `context` only adds what is not known yet. */
  within(context: ErrorContext): PipelineError {
    return new PipelineError(this.kind, this.message, { ...context, ...this.context }, this.cause);
  }
}

import type { SNSClient } from '@aws-sdk/client-sns';
import type { Logger } from '@aws-lambda-powertools/logger';
import { awsClientSettings } from '../aws/client.ts';
import { PipelineError } from '../errors.ts';
import type { Lake } from '../lake/lake.ts';
import type { Stage } from '../report.ts';
import { type Incident, Incidents } from './incidents.ts';

/** What one SMS holds of the GSM alphabet is 160; the topic's display name goes in front. */
export const SMS_CHARACTERS = 140;

/** Where nothing can be remembered, a container tells the same thing this often. */
const REPEATED_AFTER_MS = 60 * 60 * 1000;

export interface AlertsOptions {
  readonly stage: Stage;
  readonly pipeline: string;
  readonly topicArn: string | null;
  /** Keeps in mind what has been told; null where the configuration does not even say where it is. */
  readonly lake: Lake | null;
  readonly logger: Logger;
  readonly now: () => Date;
}

/** Tells people: once when a batch fails, for each kind of error, and once when it has recovered. */
export class Alerts {
  readonly #options: AlertsOptions;
  readonly #incidents: Incidents | null;
  #client: SNSClient | undefined;
  readonly #toldAtMs = new Map<string, number>();

  constructor(options: AlertsOptions) {
    this.#options = options;
    this.#incidents = options.lake && new Incidents(options.lake, options.stage, options.now);
  }

  /** Never fails: alarms tell what this cannot. */
  async failed(batch: number, error: unknown): Promise<void> {
    const kind = error instanceof PipelineError ? error.kind : 'bug';
    const sms = error instanceof PipelineError ? error.sms : 'a bug in Starling: see the log';
    try {
      await this.#tell({ batch, kind }, `failed, ${kind}: ${sms}`);
    } catch (failure) {
      this.#options.logger.warn('an alert could not be published', { batch, reason: nameOf(failure) });
    }
  }

  /** @param isOver whether a batch that failed before has been done by now. */
  async recovered(isOver: (batch: number) => boolean): Promise<void> {
    try {
      await this.#incidents?.settle(isOver, async (batch) => this.#publish(batch, 'recovered', 'recovered'));
    } catch (failure) {
      this.#options.logger.warn('a recovery could not be published', { reason: nameOf(failure) });
    }
  }

  async #tell(incident: Incident, text: string): Promise<void> {
    if (!this.#incidents) return this.#tellNowAndThen(incident, text);
    let isPublished = false;
    try {
      await this.#incidents.tell(incident, async () => {
        await this.#publish(incident.batch, 'failed', text);
        isPublished = true;
      });
    } catch (error) {
      // The lake refuses to remember. What publishing itself throws is no PipelineError.
      if (!(error instanceof PipelineError)) throw error;
      if (!isPublished) await this.#tellNowAndThen(incident, text);
    }
  }

  async #tellNowAndThen({ batch, kind }: Incident, text: string): Promise<void> {
    const id = `${batch} ${kind}`;
    const agoMs = performance.now() - (this.#toldAtMs.get(id) ?? Number.NEGATIVE_INFINITY);
    if (agoMs < REPEATED_AFTER_MS) return;
    await this.#publish(batch, 'failed', text);
    this.#toldAtMs.set(id, performance.now());
  }

  async #publish(batch: number, what: 'failed' | 'recovered', text: string): Promise<void> {
    const { topicArn, stage, pipeline, logger } = this.#options;
    if (topicArn === null) return;
    const message = smsText(`${pipeline} ${stage} batch ${batch} ${text}`);
    const sdk = await import('../aws/sns.ts');
    this.#client ??= new sdk.SNSClient({ ...awsClientSettings, maxAttempts: 3 });
    const Subject = `Starling: ${pipeline} ${stage} ${what}`;
    await this.#client.send(new sdk.PublishCommand({ TopicArn: topicArn, Subject, Message: message }));
    logger.info('alert published', { batch, alert: message });
  }
}

/** Cut where one SMS ends; an ellipsis of one character would not be of the GSM alphabet, and halve the room. */
export function smsText(text: string): string {
  return text.length <= SMS_CHARACTERS ? text : `${text.slice(0, SMS_CHARACTERS - 2)}..`;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : 'unknown';
}

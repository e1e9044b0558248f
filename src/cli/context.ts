import { DirectoryLake } from '../local/directory-lake.ts';
import { DEFAULT_ORDERS, startEmbedded } from '../local/embedded.ts';
import { totesys } from '../models/totesys/model.ts';
import { readDatabaseUrl } from '../shared/aws/secret.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { openS3Lake } from '../shared/lake/s3.ts';
import type { Splitting } from '../shared/lake/split.ts';
import type { Model } from '../shared/model/model.ts';
import type { Sessions } from '../shared/postgres/sessions.ts';
import type { Report } from '../shared/report.ts';
import { type Config, type LakePlace, STATE_DIRECTORY } from './config.ts';
import { number, type Output } from './output.ts';

/** Everything that the stages take, wired up from the configuration. */
export interface PipelineContext {
  readonly model: Model;
  readonly sourceUrl: string;
  readonly sourceSchema: string;
  readonly warehouseUrl: string;
  readonly warehouseSchema: string;
  readonly ingestion: Lake;
  readonly processed: Lake;
  readonly report: Report;
  readonly now: () => Date;
  readonly signal: AbortSignal;
  /** Read every table whole in the next batch. */
  readonly whole: boolean;
  /** Has large batches done in ranges. */
  readonly split?: Splitting;
  /** Of a command that looks again and again. */
  readonly sessions?: Sessions;
}

export interface Wiring {
  readonly output: Output;
  readonly signal: AbortSignal;
  readonly whole?: boolean;
  /** The embedded databases are wanted; a command that only looks at the lake does not start them. */
  readonly databases: boolean;
  readonly orders?: number;
}

export async function wire(config: Config, wiring: Wiring): Promise<PipelineContext> {
  const urls = await databaseUrls(config, wiring);
  const { signal, whole = false } = wiring;
  const { report } = wiring.output;
  const { sourceSchema, warehouseSchema } = config;
  const common = { model: totesys, sourceSchema, warehouseSchema, report, now: clock, signal, whole };
  return { ...common, ...urls, ...lakes(config.lake) };
}

function clock(): Date {
  return new Date();
}

type Urls = Pick<PipelineContext, 'sourceUrl' | 'warehouseUrl'>;

async function databaseUrls(config: Config, wiring: Wiring): Promise<Urls> {
  if (config.embedded && wiring.databases) return embeddedUrls(wiring);
  const [sourceUrl, warehouseUrl] = await Promise.all([
    readDatabaseUrl('source', config.source),
    readDatabaseUrl('warehouse', config.warehouse),
  ]);
  return { sourceUrl, warehouseUrl };
}

async function embeddedUrls({ output, orders = DEFAULT_ORDERS }: Wiring): Promise<Urls> {
  const { generated, ...urls } = await startEmbedded(STATE_DIRECTORY, orders);
  if (generated) output.log.info(`made up a source of ${number(orders)} sales orders`);
  return urls;
}

function lakes(place: LakePlace): Pick<PipelineContext, 'ingestion' | 'processed'> {
  if (place.kind === 'directory') {
    return {
      ingestion: new DirectoryLake(`${place.directory}/ingestion`),
      processed: new DirectoryLake(`${place.directory}/processed`),
    };
  }
  return { ingestion: openS3Lake(place.ingestion), processed: openS3Lake(place.processed) };
}

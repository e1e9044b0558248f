import { type Loaded, freshAsOf } from '../shared/freshness.ts';
import { processedEntrySchema } from '../shared/lake/entries.ts';
import type { Lake } from '../shared/lake/lake.ts';
import { Log } from '../shared/lake/log.ts';
import { readState } from '../shared/lake/state.ts';
import { lastLoaded } from './ledger.ts';
import { inWarehouse } from './load.ts';
import { waitingRows, type Waiting } from './waiting.ts';

/** What the warehouse holds. */
export interface WarehouseState {
  readonly loaded: Loaded | null;
  readonly waiting: readonly Waiting[];
}

export async function readWarehouse(warehouseUrl: string): Promise<WarehouseState> {
  return inWarehouse({ warehouseUrl }, async (client) => ({
    loaded: await lastLoaded(client),
    waiting: await waitingRows(client),
  }));
}

export interface Measured {
  /** Seconds since the latest look at the source all of whose changes are loaded; left out when nothing is. */
  readonly Freshness?: number;
  readonly QuarantinedRows: number;
  readonly BatchesPending: number;
}

interface MeasureContext {
  readonly warehouseUrl: string;
  readonly ingestion: Lake;
  readonly processed: Lake;
  readonly now: Date;
}

/** How fresh the warehouse is, what waits to be loaded, and what in quarantine. */
export async function measureWarehouse(context: MeasureContext): Promise<Measured> {
  const { loaded, waiting } = await readWarehouse(context.warehouseUrl);
  const held = loaded?.batch ?? 0;
  const processed = await new Log(context.processed, processedEntrySchema).head(held);
  const fresh = freshAsOf(loaded, await readState(context.ingestion, 'ingest'));
  return {
    ...(fresh ? { Freshness: Math.max(0, (context.now.getTime() - fresh.getTime()) / 1000) } : {}),
    QuarantinedRows: waiting.reduce((sum, { rows }) => sum + rows, 0),
    BatchesPending: Math.max(0, processed - held),
  };
}

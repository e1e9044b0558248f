import { totesys } from '../models/totesys/model.ts';
import { Login } from '../shared/aws/login.ts';
import { openS3Lake } from '../shared/lake/s3.ts';
import { stageHandler } from '../shared/lambda/stage-handler.ts';
import { load } from './load.ts';
import { measureWarehouse } from './measure.ts';

/** A call that waits for another's batch has less time left for it should that fail: rather the next sweep, with all of its time. */
const WAIT = '10s';

/** Who has the same range, and was killed, lets go of it when the server notices. */
const WAIT_FOR_RANGE = '1min';

/** The load Lambda: loads every batch that is pending, whatever the event; or stages ranges of a large one, which its queue brings. */
export const handler = stageHandler('load', ['ingestion', 'processed', 'warehouse'], (deployment) => {
  const { warehouseSchema } = deployment;
  const ingestion = openS3Lake(deployment.ingestionBucket);
  const processed = openS3Lake(deployment.processedBucket);
  const login = new Login('warehouse', deployment.warehouse);
  return {
    lake: processed,
    work: async (call) =>
      login.use((warehouseUrl) =>
        load({ ...call, model: totesys, warehouseUrl, warehouseSchema, processed, waitForLoader: WAIT })),
    workRange: async (call, ref) => {
      const { workRange } = await import('./range.ts');
      return login.use((warehouseUrl) =>
        workRange({ ...call, model: totesys, warehouseUrl, warehouseSchema, processed, waitForLoader: WAIT_FOR_RANGE, mayLoad: call.isEarly }, ref));
    },
    measure: async (now) =>
      login.use((warehouseUrl) => measureWarehouse({ warehouseUrl, ingestion, processed, now })),
  };
});

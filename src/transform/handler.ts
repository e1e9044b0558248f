import { totesys } from '../models/totesys/model.ts';
import { openS3Lake } from '../shared/lake/s3.ts';
import { stageHandler } from '../shared/lambda/stage-handler.ts';
import { pendingBatches, transform } from './transform.ts';

/** The transform Lambda: transforms every batch that is pending, whatever the event; or ranges of a large one, which its queue brings. */
export const handler = stageHandler('transform', ['ingestion', 'processed'], (deployment) => {
  const ingestion = openS3Lake(deployment.ingestionBucket);
  const processed = openS3Lake(deployment.processedBucket);
  return {
    lake: processed,
    work: async (call) => transform({ ...call, model: totesys, ingestion, processed }),
    workRange: async (call, ref) => {
      const { workRange } = await import('./range.ts');
      return workRange({ ...call, model: totesys, ingestion, processed }, ref);
    },
    measure: async (_now, result) => ({ BatchesPending: await pendingBatches({ ingestion, processed }, result?.head) }),
  };
});

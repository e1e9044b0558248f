import { totesys } from '../models/totesys/model.ts';
import { Login } from '../shared/aws/login.ts';
import { openS3Lake } from '../shared/lake/s3.ts';
import { stageHandler } from '../shared/lambda/stage-handler.ts';
import { cursorAge } from './cursor-age.ts';
import { ingest } from './ingest.ts';
import { workRange } from './range.ts';
import { undeclaredGauge } from './undeclared.ts';

/** The ingest Lambda: looks at the source once, whatever the event; or reads ranges of a large batch, which its queue brings. */
export const handler = stageHandler('ingest', ['ingestion', 'source'], (deployment) => {
  const { sourceSchema } = deployment;
  const ingestion = openS3Lake(deployment.ingestionBucket);
  const login = new Login('source', deployment.source);
  return {
    lake: ingestion,
    work: async (call) =>
      login.use((sourceUrl) => ingest({ ...call, model: totesys, sourceUrl, sourceSchema, ingestion })),
    workRange: async (call, ref) =>
      login.use((sourceUrl) => workRange({ ...call, model: totesys, sourceUrl, sourceSchema, ingestion }, ref)),
    measure: async (now, result) => (result ? { CursorAge: cursorAge(now, result), ...undeclaredGauge(result) } : {}),
  };
});

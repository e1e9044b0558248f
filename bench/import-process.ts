/** A process that imports one bundle, and says how long that took. */

import { pathToFileURL } from 'node:url';
import { answer, serve } from './child.ts';
import { measured } from './measured.ts';

export interface ImportJob {
  readonly bundle: string;
}

function isImportJob(job: unknown): job is ImportJob {
  return typeof job === 'object' && job !== null && 'bundle' in job;
}

serve(async (job) => {
  if (!isImportJob(job)) throw new TypeError('that is nothing to import');
  const { href } = pathToFileURL(job.bundle);
  return answer(await measured(async () => import(href)));
});

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeEach, expect, test, vi } from 'vitest';

import { DirectoryLake } from '../../../src/local/directory-lake.ts';
import { PipelineError } from '../../../src/shared/errors.ts';
import { readState, writeState } from '../../../src/shared/lake/state.ts';
import type { StageState } from '../../../src/shared/lake/state.ts';
import { bytes } from './contract.ts';

const home = await mkdtemp(join(tmpdir(), 'state-'));
afterAll(async () => {
  await rm(home, { recursive: true, force: true });
});

let lake = new DirectoryLake(home);
beforeEach(() => {
  lake = new DirectoryLake(join(home, randomUUID()));
});

const state: StageState = { stage: 'ingest', looked_at: '2024-08-07T12:00:00.000Z', batch: 0, outcome: 'nothing_new' };

test('a state comes back as it was written, the last one', async () => {
  await writeState(lake, 'ingest', state);
  expect(await readState(lake, 'ingest')).toEqual(state);
  const failed: StageState = {
    ...state, batch: 7, outcome: 'failed', detail: { xid_age: 12, mode: 'xmin' },
    error: { kind: 'source_failed', message: 'it failed' },
  };
  await writeState(lake, 'ingest', failed);
  expect(await readState(lake, 'ingest')).toEqual(failed);
});

test('stages have a state each', async () => {
  await writeState(lake, 'ingest', state);
  expect(await readState(lake, 'transform')).toBeNull();
});

test.each([
  ['no JSON', '{'], ['nothing', ''], ['of another stage', JSON.stringify({ ...state, stage: 'load' })],
  ['incomplete', '{"stage":"ingest"}'], ['wrong', JSON.stringify({ ...state, outcome: 'perhaps' })],
  ['far too large', ' '.repeat(2 * 1024 * 1024)],
])('a state that is %s is as good as none', async (_what, text) => {
  await lake.replace('state/ingest.json', bytes(text));
  expect(await readState(lake, 'ingest')).toBeNull();
});

test('a lake that does not answer is not taken for one without a state', async () => {
  vi.spyOn(lake, 'get').mockRejectedValueOnce(new PipelineError('lake_unavailable', 'no answer'));
  await expect(readState(lake, 'ingest')).rejects.toMatchObject({ kind: 'lake_unavailable' });
});

import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import * as v from 'valibot';
import { describe, expect, test } from 'vitest';
import { DirectoryLake } from '../../../src/local/directory-lake.ts';
import { Log, logEntryBase } from '../../../src/shared/lake/log.ts';
import { bytesOf } from '../../../src/shared/lake/read.ts';
import { checkComplete, checkModel, checkSameLog } from '../../../src/shared/lake/skew.ts';
import { temporaryDirectory } from '../../support/postgres.ts';
import { chunks } from './contract.ts';

const schema = v.object({ ...logEntryBase, model: v.string() });
type Entry = v.InferOutput<typeof schema>;

const entry = (batch: number, model: string, logId: string = randomUUID()): Entry => ({
  format: 1,
  log_id: logId,
  batch,
  attempt: randomUUID(),
  committed_at: '2024-08-07T12:00:00.000Z',
  model,
});

/** What a stage with model `mine` makes of each batch of a log whose batches were made by `models`, one letter each. */
async function verdicts(models: string, mine: string): Promise<string> {
  const lake = new DirectoryLake(join(await temporaryDirectory(), 'lake'));
  const log = new Log(lake, schema);
  const entries = Array.from(models, (model, at) => entry(at + 1, model));
  for (const each of entries) await log.commit(each);
  const verdict = async (each: Entry): Promise<string> =>
    checkModel(log, each, mine).then(
      () => '+',
      (error: unknown) => {
        expect(error).toMatchObject({ kind: 'model_mismatch', context: { batch: each.batch } });
        return 'x';
      },
    );
  return (await Promise.all(entries.map(verdict))).join('');
}

describe('a stage', () => {
  test.each([
    ['takes what was made by its own model', 'AAA', 'A', '+++'],
    ['that is behind waits at the batch where the model changed', 'AAB', 'A', '++x'],
    ['that is behind waits behind that batch too, where another one has taken it', 'AABBB', 'A', '++xxx'],
    ['that is ahead takes the batches of the writer that has not caught up', 'AAA', 'B', 'x++'],
    ['that is ahead takes all batches once the writer has caught up', 'AAB', 'B', '+++'],
    ['takes the batches of a model that was taken back', 'ABA', 'A', '+++'],
    ['waits at every change to a model that it does not know', 'ABC', 'A', '+xx'],
    ['that starts a log of another model waits', 'B', 'A', 'x'],
    ['that rebuilds with the newest model takes all that was before it', 'ABC', 'C', '+++'],
  ])('%s', async (_what, models, mine, expected) => {
    expect(await verdicts(models, mine)).toBe(expected);
  });
});

test('batches of two logs are not mixed', () => {
  const known = entry(7, 'A');
  expect(() => checkSameLog(known, null, 'the warehouse')).not.toThrow();
  expect(() => checkSameLog(known, known.log_id, 'the warehouse')).not.toThrow();
  expect(() => checkSameLog(known, randomUUID(), 'the warehouse')).toThrow(
    expect.objectContaining({
      kind: 'lake_foreign',
      context: { batch: 7 },
      message: 'the warehouse was filled from another log than the one that batch 7 is in',
    }),
  );
});

test('an object is read whole, or its absence is told', async () => {
  const lake = new DirectoryLake(await temporaryDirectory());
  const body = Buffer.alloc(1_000_000, 'ab');
  await lake.put('data/x', chunks(body));
  expect(body.equals(await bytesOf(lake, 'data/x'))).toBe(true);
  await expect(bytesOf(lake, 'data/y')).rejects.toMatchObject({ kind: 'lake_missing' });
});

describe('an entry of the reader\'s own model', () => {
  test('that says nothing of a table which the model declares is corrupt, not a table that did not change', () => {
    const own = entry(3, 'mine');
    const check = (hash: string, known: object) => () => checkComplete(own, hash, known, ['staff', 'toString']);
    expect(check('mine', { staff: {}, toString: {} })).not.toThrow();
    expect(check('mine', { staff: {} })).toThrow('the log entry of batch 3 says nothing of toString');
    expect(check('another', {})).not.toThrow();
  });
});

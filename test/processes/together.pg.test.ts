import { beforeAll, describe, expect, test } from 'vitest';
import { liveOneDay } from '../../src/local/totesys/day.ts';
import { type Ran, runStarling } from '../support/cli.ts';
import { countOf, freshPlace, type Place, type Template, totesysTemplate } from '../support/totesys.ts';
import { expectExact } from './warehouses.ts';
import { startWriter } from './writer.ts';

let template: Template;
beforeAll(async () => {
  template = await totesysTemplate();
});

async function runsAtOnce({ directory: cwd, environment }: Place, count: number): Promise<readonly Ran[]> {
  const runs = Array.from({ length: count }, async () => runStarling(['run'], { cwd, environment, measured: false }));
  return Promise.all(runs);
}

describe('runs at once', () => {
  test.each([2, 3])('%i on an empty warehouse, and on what changed: all succeed, nothing is twice', async (count) => {
    const place = await freshPlace(template);
    const done = Array.from({ length: count }, () => ({ status: 0, stderr: '' }));
    expect(await runsAtOnce(place, count)).toMatchObject(done);
    expect(await countOf(place.warehouse, 'select count(*) from fact_sales_order')).toBe(120);
    await expectExact(place);
    const day = await liveOneDay(place.source, { seed: 1 });
    expect(await runsAtOnce(place, count)).toMatchObject(done);
    const versions = 120 + day.salesOrders + day.silentEdits.salesOrderIds.length;
    expect(await countOf(place.warehouse, 'select count(*) from fact_sales_order')).toBe(versions);
    await expectExact(place);
  });

  test('while the source changes: each succeeds, and one more run brings the rest', async () => {
    const place = await freshPlace(template);
    const writer = await startWriter(place.sourceUrl, 2);
    for (let turn = 0; turn < 2; turn += 1) {
      expect(await runsAtOnce(place, 2)).toMatchObject([{ status: 0, stderr: '' }, { status: 0, stderr: '' }]);
    }
    await writer.stop();
    await runsAtOnce(place, 1);
    await expectExact(place);
  });
});

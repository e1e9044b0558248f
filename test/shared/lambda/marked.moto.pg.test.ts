import { once } from 'node:events';
import { createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import { generateTotesys } from '../../../src/local/totesys/generate.ts';
import { STAGES } from '../../../src/shared/report.ts';
import { bytesOf, forward } from '../../support/forward.ts';
import { type Moto, startMoto } from '../../support/moto.ts';
import { afterwards, connectTo, freshDatabase } from '../../support/postgres.ts';
import { rdsSecret } from '../../support/secrets.ts';
import { coldStart, deployedOn, HALF_HOUR, keepLog, SWEEP } from './scene.ts';

const moto = await startMoto();
if (moto) afterwards(() => moto.stop());

/** In cells of the source, and in both passwords; in nothing that is not data. */
const CELL = 'marked-cell-5d1e';
const NUMBER = '7654321.7654321';
const PASSWORD = 'marked-password-20bb';

/** What the functions tell AWS, but for the data itself: metrics, alerts, states, and what they ask for. */
async function listeningProxy({ endpoint }: Moto): Promise<{ readonly endpoint: string; readonly told: () => string }> {
  let told = '';
  const server = createServer((incoming, answer) => {
    void (async () => {
      const { method = '', url = '', headers } = incoming;
      const body = await bytesOf(incoming);
      const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
      if (!/\/(data|mirror|log)\//.test(url)) {
        told += `${method} ${url} ${String(headers['x-amz-target'])}\n${plain.toString('utf8')}\n`;
      }
      const upstream = await forward(endpoint, { method, url, headers, body });
      answer.writeHead(upstream.statusCode ?? 500, upstream.headers).end(await bytesOf(upstream));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(async () => {
    server.close().closeAllConnections();
  });
  const address = server.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  return { endpoint: `http://127.0.0.1:${port}`, told: () => told };
}

async function markedSource(): Promise<string> {
  const url = new URL(await freshDatabase());
  const source = await connectTo(url.href);
  await generateTotesys(source, { orders: 40, seed: 9 });
  await source.query(`update staff set first_name = '${CELL}'`);
  await source.query(`update sales_order set unit_price = ${NUMBER} where sales_order_id = 3`);
  await source.query(`update sales_order set agreed_payment_date = '${CELL.slice(0, 10)}' where sales_order_id = 4`);
  const role = `marked_lambda_${process.pid}`;
  await source.query(`create role ${role} login superuser password '${PASSWORD}'`);
  afterwards(async () => void (await source.query(`drop role ${role}`)));
  [url.username, url.password] = [role, PASSWORD];
  return url.href;
}

const log = keepLog();

describe.runIf(moto)('the functions over marked values, with marked passwords', () => {
  test('leave no mark in logs, metrics, alerts and states, whatever goes wrong', async () => {
    if (!moto) return;
    const { secrets, sourceUrl, warehouseUrl, alerts } = await deployedOn(moto, await markedSource());
    const proxy = await listeningProxy(moto);
    vi.stubEnv('AWS_ENDPOINT_URL', proxy.endpoint);
    for (const stage of STAGES) await (await coldStart(stage))(SWEEP, HALF_HOUR);
    const warehouse = await connectTo(warehouseUrl);
    expect((await warehouse.query('select from pipeline.quarantine')).rowCount).toBe(2);
    await warehouse.query(`alter table dim_staff add constraint no_marks check (first_name not like '%-2')`);
    const source = await connectTo(sourceUrl);
    await source.query(`update staff set first_name = '${CELL}-2' where staff_id = 1`);
    for (const stage of ['ingest', 'transform'] as const) await (await coldStart(stage))(SWEEP, HALF_HOUR);
    await expect((await coldStart('load'))(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'warehouse_failed' });
    await secrets.source.rotate(rdsSecret(sourceUrl.replace(PASSWORD, `${PASSWORD}-wrong`)));
    await expect((await coldStart('ingest'))(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'source_denied' });
    await secrets.source.rotate(`${PASSWORD} is no JSON`);
    await expect((await coldStart('ingest'))(SWEEP, HALF_HOUR)).rejects.toMatchObject({ kind: 'secret_malformed' });

    const written = { logs: JSON.stringify(log.lines), requests: proxy.told(), alerts: (await alerts.heard()).join('\n') };
    expect(written.logs).toContain('23514');
    const all = ['PutMetricData', 'NewQuarantinedRows', 'Action=Publish', '/state/load.json'];
    expect(all.filter((one) => !written.requests.includes(one))).toEqual([]);
    expect(written.alerts.split('\n')).toHaveLength(3);
    const marks = [CELL.slice(0, 10), NUMBER, PASSWORD];
    const left = Object.entries(written).filter(([, text]) => marks.some((mark) => text.includes(mark)));
    expect(left.map(([where]) => where)).toEqual([]);
  });
});

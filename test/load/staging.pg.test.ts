import { once } from 'node:events';
import { connect as dial, createServer } from 'node:net';
import { Int32, vectorFromArray } from 'apache-arrow';
import { expect, test } from 'vitest';
import { arrowColumn } from '../../src/load/binary-columns.ts';
import { type ColumnBatch, encodeBinary } from '../../src/load/binary-copy.ts';
import { WAREHOUSE_SETTINGS } from '../../src/load/session.ts';
import { copyRows, createStaging, STAGED } from '../../src/load/staging.ts';
import { columnData } from '../../src/shared/parquet/cells.ts';
import { decodeParquet } from '../../src/shared/parquet/parquet.ts';
import { close, connect, inTransaction } from '../../src/shared/postgres/client.ts';
import type { Cell } from '../../src/shared/types/type.ts';
import { TYPES } from '../support/cells.ts';
import { encodeCells } from '../support/parquet.ts';
import { afterwards, freshDatabase } from '../support/postgres.ts';

const int = { kind: 'int' } as const;

async function* intBatches(...batches: readonly (readonly Cell[])[]): AsyncGenerator<ColumnBatch> {
  for (const cells of batches) {
    const [data] = vectorFromArray(cells, new Int32()).data;
    const column = data && arrowColumn(data, int);
    if (column) yield { columns: [column], rows: cells.length };
  }
}

test('the columns of a file of any number of rows are copied as they are, without a value of JavaScript each', async () => {
  const columns = TYPES.map((type, at) => ({ name: `c${at}`, type, nullable: true }));
  const rows = 5_000;
  const table = await decodeParquet('a file', await encodeCells(columns, [], rows), rows);
  expect(table.batches.reduce((sum, batch) => sum + batch.numRows, 0)).toBe(rows);
  for (const batch of table.batches) {
    for (const { name, type } of columns) expect(columnData(batch, name, type)).toHaveLength(batch.numRows);
  }
});

test('a chunk is written over the last one only where that has been sent', async () => {
  const cells = Array.from({ length: 10_000 }, (_, at) => at);
  const buffersOf = async (isSent: boolean): Promise<ReadonlySet<ArrayBufferLike>> => {
    const buffers = new Set<ArrayBufferLike>();
    for await (const chunk of encodeBinary(intBatches(cells, cells), () => isSent)) {
      if (chunk.length > 20) buffers.add(chunk.buffer);
    }
    return buffers;
  };
  expect((await buffersOf(true)).size).toBe(1);
  expect((await buffersOf(false)).size).toBe(10);
});

/** The same server, at the end of a connection that takes a little at a time. */
async function slowly(url: string): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const proxy = createServer((client) => {
    const server = dial({ port: Number(port), host });
    for (const socket of [client, server]) socket.on('error', () => undefined);
    server.pipe(client);
    client.on('data', (bytes) => {
      client.pause();
      server.write(bytes, () => setImmediate(() => client.resume()));
    });
    client.on('end', () => server.end());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  afterwards(async () => void proxy.close());
  const address = proxy.address();
  const through = new URL(url);
  through.port = String(typeof address === 'object' ? address?.port : '');
  return through.href;
}

test('what is still to be sent is not written over, however slow the connection is', async () => {
  const client = await connect('warehouse', await slowly(await freshDatabase('slow')), WAREHOUSE_SETTINGS);
  afterwards(async () => close(client));
  // Chunks so small that the driver asks for the next one while the socket still has the last.
  const batches = Array.from({ length: 2_000 }, (_, batch) => Array.from({ length: 1_000 }, (__, at) => batch * 1_000 + at));
  await inTransaction(client, 'begin', async () => {
    await createStaging(client, STAGED, [{ name: 'id', type: int }]);
    expect(await copyRows(client, STAGED, [{ name: 'id', type: int }], intBatches(...batches), 'test')).toBe(2_000_000);
    const { rows } = await client.query(`select count(distinct id) as ids, min(id), max(id) from ${STAGED}`);
    expect(rows).toEqual([{ ids: '2000000', min: '0', max: '1999999' }]);
  });
});

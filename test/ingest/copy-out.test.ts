import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CopyOut } from '../../src/ingest/copy-out.ts';

function message(letter: string, body: string | Buffer): Buffer {
  const content = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(letter, 'latin1');
  head.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

/** A server that says this, in pieces of these lengths, to a driver that keeps what it gets. */
async function told(said: Buffer, lengths: readonly number[]): Promise<{ readonly rows: string; readonly driver: string }> {
  const stream = new PassThrough();
  const driver: Buffer[] = [];
  stream.on('data', (piece: Buffer) => driver.push(Buffer.from(piece)));
  const copy = new CopyOut('copy');
  copy.submit({ stream, query: () => undefined });
  const rows = allOf(copy);
  let at = 0;
  for (const length of [...lengths, said.length]) {
    stream.write(Buffer.from(said.subarray(at, at + length)));
    at += length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  // What comes later is the driver's again.
  stream.write('later');
  await new Promise((resolve) => setImmediate(resolve));
  return { rows: await rows, driver: Buffer.concat(driver).toString() };
}

async function allOf(copy: CopyOut): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of copy) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

const BEHIND = Buffer.concat([message('C', 'COPY 3\0'), message('Z', 'I')]);
const lengths = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 40 });

describe('the rows of a COPY', () => {
  test('are put together, and all else is left to the driver, wherever the pieces end', async () => {
    const row = fc.string({ maxLength: 60 }).map((text) => ({ row: text, said: message('d', text) }));
    const aside = fc.constantFrom('N', 'A', 'S').map((letter) => ({ row: '', said: message(letter, 'd\0\0\0\u0009aside') }));
    await fc.assert(fc.asyncProperty(fc.array(fc.oneof({ weight: 5, arbitrary: row }, aside)), lengths, async (messages, cuts) => {
      const said = [message('H', '\0\0\u0001\0\0'), ...messages.map((one) => one.said), message('c', ''), BEHIND];
      expect(await told(Buffer.concat(said), cuts)).toEqual({
        rows: messages.map((one) => one.row).join(''), driver: `${BEHIND.toString()}later`,
      });
    }), { numRuns: 150 });
  });

  test('are nothing where the server only has an error to say, and the driver is told of that whole', async () => {
    for (let cut = 1; cut < 12; cut += 1) {
      const stream = new PassThrough();
      const driver: Buffer[] = [];
      stream.on('data', (piece: Buffer) => driver.push(Buffer.from(piece)));
      const copy = new CopyOut('copy');
      copy.submit({ stream, query: () => undefined });
      const rows = allOf(copy);
      rows.catch(() => undefined);
      const said = Buffer.concat([message('d', 'abc'), message('E', 'broken')]);
      for (const piece of [said.subarray(0, cut), said.subarray(cut)]) {
        stream.write(Buffer.from(piece));
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect(Buffer.concat(driver).toString()).toBe(message('E', 'broken').toString());
      copy.handleError(new Error('broken'));
      await expect(rows).rejects.toThrow('broken');
    }
  });

  test('are not read ahead of who takes them by more than half a megabyte and a piece', async () => {
    const stream = new PassThrough({ highWaterMark: 16_384 });
    stream.on('data', () => undefined);
    const copy = new CopyOut('copy');
    copy.submit({ stream, query: () => undefined });
    const piece = message('d', 'x'.repeat(16_379));
    let written = 0;
    while (written < 4 * 1024 * 1024 && stream.write(Buffer.from(piece))) {
      written += piece.length;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(written).toBeGreaterThan(512 * 1024);
    expect(written).toBeLessThan(640 * 1024);
  });
});

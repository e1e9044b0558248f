import { parentPort } from 'node:worker_threads';
import type { Encoded, Order } from './encoder.ts';
import { writeFile } from './write.ts';

/** The other side of encoder.ts: a bundle of its own, started beside the one that asks. */
const loading = import('./wasm.ts');

parentPort?.on('message', (order: Order) => {
  void loading
    .then((module) => answer({ id: order.id, bytes: writeFile(module, order.columns) }))
    .catch((error: unknown) => answer({ id: order.id, error }));
});

function answer(encoded: Encoded): void {
  const moved = 'bytes' in encoded && encoded.bytes.buffer instanceof ArrayBuffer ? [encoded.bytes.buffer] : [];
  parentPort?.postMessage(encoded, moved);
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bytesOf, forward } from './forward.ts';

/** What goes wrong with one request. */
export type Fault =
  /** S3 answers with an error and does nothing. */
  | { readonly status: number; readonly code: string }
  /** The connection breaks after so many bytes of the answer's body. */
  | { readonly cutAfterBytes: number }
  /** One bit of the answer's body is another. */
  | 'damaged'
  /** The answer does not say how long it is. */
  | 'no_length'
  /** The wish for a part of the object is not heeded. */
  | 'whole'
  /** The request takes effect and the connection breaks before the answer. */
  | 'answer_lost'
  /** The connection breaks before the request takes effect. */
  | 'request_lost';

export interface Request {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

export interface FaultProxy {
  readonly endpoint: string;
  /** All requests so far, oldest first. */
  readonly requests: readonly Request[];
  /** Asked for each request; `null` lets it pass. */
  fault: (request: Request) => Fault | null;
  readonly stop: () => Promise<void>;
}

/** A proxy in front of `target` that breaks what it is told to break. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const requests: Request[] = [];
  const server = createServer((incoming, answer) => {
    const seen = { method: incoming.method ?? '', url: incoming.url ?? '', headers: incoming.headers };
    requests.push(seen);
    serve(target, incoming, answer, proxy.fault(seen)).catch(() => incoming.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const proxy: FaultProxy = {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    fault: () => null,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return proxy;
}

async function serve(
  target: string, incoming: IncomingMessage, answer: ServerResponse, fault: Fault | null,
): Promise<void> {
  const body = await bytesOf(incoming);
  if (fault === 'request_lost') return void incoming.socket.destroy();
  if (fault !== null && typeof fault === 'object' && 'status' in fault) {
    answer.writeHead(fault.status, { 'content-type': 'application/xml' });
    return void answer.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>injected</Message></Error>`);
  }
  if (fault === 'whole') delete incoming.headers.range;
  const { method = '', url = '', headers } = incoming;
  const upstream = await forward(target, { method, url, headers, body });
  const received = await bytesOf(upstream);
  if (fault === 'answer_lost') return void incoming.socket.destroy();
  if (fault === 'no_length') delete upstream.headers['content-length'];
  if (fault === 'damaged') received[0] = (received[0] ?? 0) ^ 1;
  answer.writeHead(upstream.statusCode ?? 500, upstream.headers);
  if (fault !== null && typeof fault === 'object') {
    answer.flushHeaders();
    answer.write(received.subarray(0, fault.cutAfterBytes), () => incoming.socket.end());
  } else {
    answer.end(received);
  }
}

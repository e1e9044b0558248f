import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterwards } from '../../support/postgres.ts';

export interface Proxy {
  readonly port: number;
  /** Breaks all connections, without a word to either side. */
  readonly cut: () => void;
  /** Lets nothing through any more, and leaves the connections as they are. */
  readonly silence: () => void;
}

/** Between a client and the server at a port of this machine. */
export async function proxyTo(target: number): Promise<Proxy> {
  const pairs: { readonly client: Socket; readonly upstream: Socket }[] = [];
  // Otherwise it would answer a polite end by itself, for a server that does not.
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect(target, '127.0.0.1');
    pairs.push({ client, upstream });
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const { client, upstream } of pairs) [client, upstream].forEach((socket) => socket.destroy());
  };
  const silence = (): void => {
    for (const { client, upstream } of pairs) {
      client.unpipe(upstream).resume();
      upstream.unpipe(client).resume();
    }
  };
  afterwards(async () => {
    cut();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { port: address.port, cut, silence };
}

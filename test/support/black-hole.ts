import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterwards } from './postgres.ts';

/**
 * From where on a connection is a black hole: it stays open, and nothing passes any more, either way. With the first
 * thing that the client sends in which `when` is: not even that; that, but no answer; that, and so many bytes of answer.
 */
export interface Hole {
  readonly when: RegExp;
  readonly passes: 'nothing' | 'the request' | { readonly answerBytes: number };
}

/** Connections that are made, and never hear a word. */
export const DEAF: Hole = { when: /^/, passes: 'nothing' };

export interface BlackHole {
  readonly port: number;
  /** For connections, those that are there as well; null for a network that works. What has become a hole stays one. */
  hole: Hole | null;
  /** How many connections have become holes. */
  readonly swallowed: () => number;
}

/** A network between a client and the server at a port of this machine. */
export async function blackHoleTo(target: number): Promise<BlackHole> {
  const sockets = new Set<Socket>();
  let swallowed = 0;
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const upstream = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined));
    link(client, upstream, () => network.hole, () => (swallowed += 1));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  afterwards(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const network: BlackHole = { port: address.port, hole: null, swallowed: () => swallowed };
  return network;
}

/** Whoever is swallowed is not read from any more: what it writes piles up in the kernel, as behind a stopped process. */
function link(client: Socket, upstream: Socket, holeNow: () => Hole | null, tell: () => void): void {
  let answerBytesLeft = Number.POSITIVE_INFINITY;
  const swallow = (): void => {
    tell();
    for (const socket of [client, upstream]) socket.removeAllListeners('data').removeAllListeners('end').pause();
  };
  client.on('data', (chunk) => {
    const hole = holeNow();
    if (hole && answerBytesLeft === Number.POSITIVE_INFINITY && hole.when.test(chunk.toString('latin1'))) {
      if (hole.passes === 'nothing') return swallow();
      answerBytesLeft = hole.passes === 'the request' ? 0 : hole.passes.answerBytes;
    }
    upstream.write(chunk);
  });
  upstream.on('data', (chunk) => {
    client.write(chunk.subarray(0, answerBytesLeft));
    answerBytesLeft -= chunk.length;
    if (answerBytesLeft < 0) swallow();
  });
  client.on('end', () => upstream.end()).on('close', () => upstream.destroy());
  upstream.on('end', () => client.end()).on('close', () => client.destroy());
}

/** The same server, reached through the network. */
export function through(url: string, { port }: BlackHole, parameters = ''): string {
  const changed = new URL(url);
  changed.port = String(port);
  return `${changed.href}${parameters}`;
}

import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http';

/** A request that a proxy has read whole. */
export interface ReadRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export async function forward(target: string, { method, url, headers, body }: ReadRequest): Promise<IncomingMessage> {
  const outgoing = request(`${target}${url}`, { method, headers });
  outgoing.end(body);
  return new Promise((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
  });
}

export async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { bytesOf } from '../support/forward.ts';
import type { Seam } from './steps.ts';

/** A topic of SNS that counts what is published to it. */
export interface Topic {
  readonly endpoint: string;
  readonly messages: string[];
  /** In front of each publication. */
  seam: Seam;
  readonly stop: () => Promise<void>;
}

const PUBLISHED = `
  <PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">
    <PublishResult><MessageId>1</MessageId></PublishResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata>
  </PublishResponse>`;
const REFUSED = `
  <ErrorResponse><Error><Type>Sender</Type><Code>AuthorizationError</Code><Message>injected</Message></Error></ErrorResponse>`;

const STEP = { name: 'topic: publish', kind: 'topic: publish' };

export async function startTopic(seam: Seam): Promise<Topic> {
  const messages: string[] = [];
  const server = createServer((request, answer) => {
    serve(topic, request, answer).catch(() => request.socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const topic: Topic = {
    endpoint: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    messages,
    seam,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return topic;
}

async function serve({ seam, messages }: Topic, request: IncomingMessage, answer: ServerResponse): Promise<void> {
  const body = await bytesOf(request);
  const fault = seam.next(STEP);
  if (fault === 'killed before') return seam.die();
  if (fault === 'reset') return void request.socket.destroy();
  if (fault === 'error') return void answer.writeHead(403).end(REFUSED);
  messages.push(new URLSearchParams(body.toString('utf8')).get('Message') ?? '');
  if (fault === 'killed after') return seam.die();
  if (fault === 'answer lost') return void request.socket.destroy();
  answer.writeHead(200, { 'content-type': 'text/xml' }).end(PUBLISHED);
}

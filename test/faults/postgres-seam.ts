import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { COPY_FAIL, Framer, type Message, refusal, sqlOf } from './messages.ts';
import { statementStep } from './statements.ts';
import type { Fault, Seam, Step } from './steps.ts';

type Side = 'source' | 'warehouse';

/** A proxy in front of a database, with a seam in front of each request. */
export class PostgresSeam {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(side: Side, target: URL, seam: Seam): Promise<PostgresSeam> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    const proxy = new PostgresSeam(server);
    server.on('connection', (client) => {
      const upstream = connect({ port: Number(target.port), host: target.hostname, noDelay: true });
      for (const socket of [client, upstream]) {
        proxy.#sockets.add(socket);
        socket.on('error', () => undefined).on('close', () => proxy.#sockets.delete(socket));
      }
      new Conversation(side, client, upstream, seam).run();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return proxy;
  }

  /** The URL of the same database through the proxy. */
  through(url: string): string {
    const address = this.#server.address();
    const through = new URL(url);
    through.hostname = '127.0.0.1';
    through.port = String(typeof address === 'object' ? address?.port : '');
    return through.href;
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}

/** Messages after which the server answers. */
const REQUESTS = new Set(['Q', 'S', 'c', 'f', '']);
/** Messages with which an answer ends: `ReadyForQuery`, `CopyInResponse`. */
const ENDS = new Set(['Z', 'G']);

/** One connection. Requests come one after the other, as the driver sends them. */
class Conversation {
  readonly #side: Side;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #seam: Seam;
  #request: Message[] = [];
  /** What is to be done with the answer that comes next, where it is not to be passed on. */
  #held: { readonly fault: Fault; readonly answer: Buffer[] } | null = null;
  #transactionStatus = 'I';

  constructor(side: Side, client: Socket, upstream: Socket, seam: Seam) {
    this.#side = side;
    this.#client = client;
    this.#upstream = upstream;
    this.#seam = seam;
  }

  run(): void {
    void this.#requests().catch(() => this.#break());
    void this.#answers().catch(() => this.#break());
  }

  async #requests(): Promise<void> {
    const framer = new Framer(true);
    const chunks: AsyncIterable<Buffer> = this.#client;
    for await (const chunk of chunks) {
      for (const message of framer.add(chunk)) await this.#hear(message);
    }
    this.#upstream.end();
  }

  async #hear(message: Message): Promise<void> {
    this.#request.push(message);
    if (message.type !== 'd' && !REQUESTS.has(message.type)) {
      // Nothing that a step begins with: passwords, the end.
      if (!['P', 'B', 'D', 'E', 'C', 'H'].includes(message.type)) await this.#pass();
      return;
    }
    const step = message.type === 'd' ? null : this.#stepOf(message);
    const fault = step === null ? null : this.#seam.next(step);
    if (fault === null) return this.#pass();
    if (fault === 'killed before') return this.#seam.die();
    if (fault === 'reset') return this.#break();
    if (fault === 'error') return this.#refuse(message);
    this.#held = { fault, answer: [] };
    await this.#pass();
  }

  #stepOf({ type }: Message): Step | null {
    if (type === '') return { name: `${this.#side}: connect`, kind: `${this.#side}: connect` };
    if (type === 'c' || type === 'f') {
      const what = type === 'c' ? 'end of copy' : 'copy given up';
      return { name: `${this.#side}: ${what}`, kind: `${this.#side}: ${what}` };
    }
    const asked = this.#request.find((message) => message.type === 'Q' || message.type === 'P');
    // A `Sync` alone, behind a COPY that was given up.
    return asked ? statementStep(this.#side, sqlOf(asked)) : null;
  }

  async #refuse({ type }: Message): Promise<void> {
    this.#request = [];
    if (type === 'c') await write(this.#upstream, COPY_FAIL);
    else if (type === '') this.#break();
    else await write(this.#client, refusal(this.#transactionStatus));
  }

  async #pass(): Promise<void> {
    const bytes = Buffer.concat(this.#request.map((message) => message.bytes));
    this.#request = [];
    await write(this.#upstream, bytes);
  }

  async #answers(): Promise<void> {
    const framer = new Framer(false);
    const chunks: AsyncIterable<Buffer> = this.#upstream;
    for await (const chunk of chunks) {
      const messages = framer.add(chunk);
      const status = messages.findLast(({ type }) => type === 'Z');
      if (status) this.#transactionStatus = status.bytes.toString('latin1', 5, 6);
      if (this.#held === null) await write(this.#client, chunk);
      else await this.#hold(this.#held, chunk, messages);
    }
    this.#client.end();
  }

  async #hold({ fault, answer }: { fault: Fault; answer: Buffer[] }, chunk: Buffer, messages: readonly Message[]): Promise<void> {
    answer.push(chunk);
    // Who connects is asked for a password: that the server has answered is enough.
    const isOver = messages.some(({ type }) => ENDS.has(type) || type === 'R');
    if (!isOver) return;
    if (fault === 'killed after') return this.#seam.die();
    const bytes = Buffer.concat(answer);
    // Rows, of which half arrive: a stream that ends early must not pass for a short one.
    if (bytes.includes('d') && bytes[0] === 'H'.charCodeAt(0)) await write(this.#client, bytes.subarray(0, bytes.length / 2));
    this.#break();
  }

  #break(): void {
    this.#client.destroy();
    this.#upstream.destroy();
  }
}

async function write(socket: Socket, bytes: Buffer): Promise<void> {
  if (socket.destroyed || socket.write(bytes)) return;
  await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
}

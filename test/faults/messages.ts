/**
 * PostgreSQL's wire protocol, version 3, as far as a proxy has to know it: where messages begin and end, what a client
 * asks for, and how a server refuses. https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export interface Message {
  /** The first byte as a character; empty for the start-up message, which has none. */
  readonly type: string;
  readonly bytes: Buffer;
}

/** Cuts a stream of bytes into messages. */
export class Framer {
  #rest: Buffer = Buffer.alloc(0);
  #isStarted: boolean;

  /** @param isClient A client's first message has no type. */
  constructor(isClient: boolean) {
    this.#isStarted = !isClient;
  }

  add(chunk: Buffer): readonly Message[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const messages: Message[] = [];
    for (let message = this.#take(); message !== null; message = this.#take()) messages.push(message);
    return messages;
  }

  #take(): Message | null {
    const typeBytes = this.#isStarted ? 1 : 0;
    if (this.#rest.length < typeBytes + 4) return null;
    const end = typeBytes + this.#rest.readInt32BE(typeBytes);
    if (this.#rest.length < end) return null;
    const bytes = this.#rest.subarray(0, end);
    this.#rest = this.#rest.subarray(end);
    this.#isStarted = true;
    return { type: bytes.toString('latin1', 0, typeBytes), bytes };
  }
}

/** The SQL that a `Query` or a `Parse` message holds. */
export function sqlOf({ type, bytes }: Message): string {
  const from = type === 'P' ? bytes.indexOf(0, 5) + 1 : 5;
  return bytes.toString('utf8', from, bytes.indexOf(0, from));
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const DISK_FULL = '53100';

/** `ErrorResponse`, and `ReadyForQuery` with what is known of the transaction. */
export function refusal(transactionStatus: string): Buffer {
  const fields = ['SERROR', 'VERROR', `C${DISK_FULL}`, 'Minjected'].map((field) => `${field}\0`).join('');
  return Buffer.concat([message('E', Buffer.from(`${fields}\0`)), message('Z', Buffer.from(transactionStatus))]);
}

/** `CopyFail`: has the server itself refuse what was copied. */
export const COPY_FAIL = message('f', Buffer.from('injected\0'));

/** It has no types of its own. */
declare module 'pgpass' {
  interface Connection {
    readonly host?: string | undefined;
    readonly port?: number | undefined;
    readonly database?: string | undefined;
    readonly user?: string | undefined;
  }

  /** Looks a connection's password up in PGPASSFILE or ~/.pgpass. */
  export default function pgpass(connection: Connection, done: (password: string | undefined) => void): void;
}

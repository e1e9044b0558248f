import type { Client } from 'pg';
import { pick, type Random, Tally } from './workload.ts';

/** What a database's keepers do to tables that others are at work on. */
const REWRITES = [
  'vacuum full plain', 'vacuum full parted_0', 'cluster plain using plain_pkey', 'alter table plain alter value set storage external',
  // All rows are new.
  'alter table plain alter value type varchar(40)', 'alter table plain alter value type text',
];
const STATEMENTS = [
  'vacuum plain', 'vacuum (freeze) plain', 'vacuum (freeze) parted', 'analyze plain', 'checkpoint', ...REWRITES,
];

/** A table in two parts, which come and go, and are changed also while they are away. */
export const SHELVES = `
  create table shelf (id int primary key, value text) partition by range (id);
  create table shelf_0 partition of shelf for values from (0) to (100);
  create table shelf_1 partition of shelf for values from (100) to (200)`;

/** `lock not available`: somebody's open or prepared transaction is at that table. */
const IS_LOCKED = '55P03';

export class Keeper {
  readonly #client: Client;
  readonly #random: Random;
  readonly #attached = [true, true];
  readonly done = new Tally();

  constructor(client: Client, random: Random) {
    this.#client = client;
    this.#random = random;
  }

  /** One thing or another; gives up on what is locked. */
  async act(): Promise<void> {
    await this.#client.query(`set lock_timeout = '50ms'`);
    try {
      await (this.#random() < 0.5 ? this.#maintain() : this.#moveShelf());
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === IS_LOCKED)) throw error;
    }
  }

  /** For a moment in which nobody else is at work: with others there it hardly ever gets the lock. */
  async rewrite(): Promise<void> {
    await this.#do(pick(this.#random, REWRITES));
  }

  async #maintain(): Promise<void> {
    await this.#do(pick(this.#random, STATEMENTS));
  }

  async #do(statement: string): Promise<void> {
    await this.#client.query(statement);
    this.done.add(statement);
  }

  async #moveShelf(): Promise<void> {
    const shelf = pick(this.#random, [0, 1] as const);
    const id = shelf * 100 + Math.floor(this.#random() * 30);
    const part = `shelf_${shelf}`;
    const statement = pick(this.#random, [
      `insert into ${part} values (${id}, 'put') on conflict (id) do update set value = 'put again'`,
      `update ${part} set value = value || '.' where id between ${id} and ${id + 3}`,
      `delete from ${part} where id = ${id}`,
      `truncate ${part}`,
      `vacuum full ${part}`,
      this.#isAttached(shelf) ? this.#detach(part) : this.#attach(part, shelf),
      this.#isAttached(shelf) ? this.#detach(part) : this.#attach(part, shelf),
    ]);
    await this.#do(statement);
    const { rows } = await this.#client.query<{ name: string }>(
      `select inhrelid::regclass::text as name from pg_inherits where inhparent = 'shelf'::regclass`);
    for (const at of [0, 1]) this.#attached[at] = rows.some(({ name }) => name === `shelf_${at}`);
  }

  #isAttached(shelf: number): boolean {
    return this.#attached[shelf] === true;
  }

  #detach(part: string): string {
    return `alter table shelf detach partition ${part}`;
  }

  #attach(part: string, shelf: number): string {
    return `alter table shelf attach partition ${part} for values from (${shelf * 100}) to (${shelf * 100 + 100})`;
  }
}

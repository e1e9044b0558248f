import { randomUUID } from 'node:crypto';
import type { Client } from 'pg';

export type Random = () => number;

/** mulberry32: the same numbers for the same seed, from 0 up to 1. */
export function randomOf(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  const chosen = choices[Math.floor(random() * choices.length)];
  if (chosen === undefined) throw new Error('nothing to choose from');
  return chosen;
}

/** How often what was done, by the words that a statement begins with. */
export class Tally {
  readonly counts = new Map<string, number>();

  add(statement: string): void {
    const [words = ''] = /^[a-z ()$]+/.exec(statement.replaceAll(/_?\d+/g, '')) ?? [];
    this.#count(words.trim(), 1);
  }

  addAll(others: Tally): void {
    for (const [words, times] of others.counts) this.#count(words, times);
  }

  #count(words: string, times: number): void {
    this.counts.set(words, (this.counts.get(words) ?? 0) + times);
  }
}

const ACTIONS = [
  'insert', 'insert', 'insert', 'update', 'update', 'update', 'no-op', 'delete', 'begin', 'begin', 'commit', 'commit',
  'rollback', 'savepoint', 'rollback to', 'release', 'block', 'prepare', 'finish prepared', 'lock rows',
] as const;

/**
 * One session that does this and that. Each has keys of its own, so that none ever waits for another: those that are
 * `number` modulo `sessions`.
 */
export class Session {
  readonly #client: Client;
  readonly #random: Random;
  readonly #number: number;
  readonly #sessions: number;
  readonly #tables: readonly string[];
  #inserted = 0;
  /** Keys up to here may be locked by a transaction of this session's own that is prepared and not finished. */
  #locked = 0;
  #savepoints = -1;
  #prepared = '';
  /** The statements that succeeded, by their first words. */
  readonly done = new Tally();

  constructor(client: Client, random: Random, number: number, sessions: number, tables: readonly string[]) {
    this.#client = client;
    this.#random = random;
    this.#number = number;
    this.#sessions = sessions;
    this.#tables = tables;
  }

  async act(): Promise<void> {
    await this.#do(this.#statement());
  }

  async #do(statement: string): Promise<void> {
    await this.#client.query(statement);
    this.done.add(statement);
  }

  /** Ends whatever is open, one way or the other. */
  async end(): Promise<void> {
    if (this.#savepoints >= 0) await this.#do(pick(this.#random, ['commit', 'rollback']));
    this.#savepoints = -1;
    if (this.#prepared !== '') await this.#do(this.#finishPrepared());
  }

  get #isOpen(): boolean {
    return this.#savepoints >= 0;
  }

  #statement(): string {
    const action = pick(this.#random, ACTIONS);
    const table = pick(this.#random, this.#tables);
    switch (action) {
      case 'insert':
        return this.#insert(table);
      case 'update':
        return `update ${table} set value = '${this.#word()}' where id = ${this.#key()}`;
      case 'no-op':
        return `update ${table} set value = value where id = ${this.#key()}`;
      case 'delete':
        return `delete from ${table} where id = ${this.#key()}`;
      case 'lock rows':
        return `select from ${table} where id = ${this.#key()} for update`;
      case 'block':
        return this.#block(table);
      case 'finish prepared':
        return this.#isOpen || this.#prepared === '' ? this.#insert(table) : this.#finishPrepared();
      case 'begin':
      case 'commit':
      case 'rollback':
      case 'savepoint':
      case 'rollback to':
      case 'release':
      case 'prepare':
        return this.#transaction(action);
    }
  }

  /** The statements that only make sense in a transaction begin one where there is none. */
  #transaction(action: 'begin' | 'commit' | 'rollback' | 'savepoint' | 'rollback to' | 'release' | 'prepare'): string {
    if (!this.#isOpen) {
      this.#savepoints = 0;
      return 'begin';
    }
    if (action === 'commit' || action === 'rollback' || action === 'prepare') {
      this.#savepoints = -1;
      return action === 'prepare' ? this.#prepare() : action;
    }
    if (this.#savepoints === 0 || action === 'savepoint' || action === 'begin') {
      this.#savepoints += 1;
      return `savepoint s${this.#savepoints}`;
    }
    const name = `s${this.#savepoints}`;
    if (action === 'release') this.#savepoints -= 1;
    return `${action} ${name}`;
  }

  #insert(table: string): string {
    const isNew = this.#random() < 0.8 || this.#inserted === this.#locked;
    this.#inserted += isNew ? 1 : 0;
    const id = isNew ? this.#inserted * this.#sessions + this.#number : this.#key();
    const values = `(${id}, '${this.#word()}')`;
    return `insert into ${table} values ${values} on conflict (id) do update set value = excluded.value`;
  }

  #block(table: string): string {
    const fails = this.#random() < 0.5 ? `raise division_by_zero;` : '';
    const update = `update public.${table} set value = '${this.#word()}' where id = ${this.#key()}`;
    return `do $$ begin begin ${update}; ${fails} exception when division_by_zero then null; end; end $$`;
  }

  /** One at a time: a server has room for few. */
  #prepare(): string {
    if (this.#prepared !== '') return 'commit';
    this.#prepared = `p_${randomUUID()}`;
    this.#locked = this.#inserted;
    return `prepare transaction '${this.#prepared}'`;
  }

  #finishPrepared(): string {
    const finish = `${pick(this.#random, ['commit', 'rollback'])} prepared '${this.#prepared}'`;
    this.#prepared = '';
    this.#locked = 0;
    return finish;
  }

  #key(): number {
    const nth = 1 + this.#locked + Math.floor(this.#random() * (this.#inserted - this.#locked));
    return nth * this.#sessions + this.#number;
  }

  #word(): string {
    return pick(this.#random, ['amber', 'birch', 'cedar', 'dune', 'ember']) + Math.floor(this.#random() * 1000);
  }
}

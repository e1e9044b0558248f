import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { type Random, randomFrom } from '../../src/local/totesys/random.ts';
import { MARKET_SCHEMA } from './market.ts';

/**
 * A market that writes down what it does: for each state of a sale or refund, in the same transaction, who wrote it. A
 * key is changed by one transaction at a time and its counter drawn behind the lock, so that of two states the later has
 * the higher counter. `xid` is the top-level transaction, whatever savepoint wrote the row.
 */
export const WRITTEN_DOWN = `${MARKET_SCHEMA};
  create schema audit;
  create sequence audit.counter;
  create table audit.change (
    fact text not null, key int not null, counter bigint not null, note text, is_there boolean not null,
    xid xid8 not null default pg_current_xact_id()
  );

  create function audit.put_sale(id int, a_stall int, cost numeric, says text, stamps boolean) returns void as $$
    declare n bigint;
    begin
      if not pg_try_advisory_xact_lock(1, id) then return; end if;
      n := nextval('audit.counter');
      update sale set stall_id = a_stall, price = cost, counter = n, note = says,
        last_updated = case when stamps then clock_timestamp()::timestamp else last_updated end
      where sale_id = id;
      if not found then insert into sale values (id, a_stall, cost, n, says, '2031-03-03 09:00', '2031-03-03 09:00'); end if;
      insert into audit.change values ('fact_sale', id, n, says, true);
    end $$ language plpgsql;

  create function audit.put_refund(id int, a_stall int, cost numeric) returns void as $$
    declare n bigint;
    begin
      if not pg_try_advisory_xact_lock(2, id) then return; end if;
      n := nextval('audit.counter');
      update refund set stall_id = a_stall, amount = cost, counter = n where refund_id = id;
      if not found then insert into refund values (id, a_stall, cost, n, '2031-03-03 10:00'); end if;
      insert into audit.change values ('fact_refund', id, n, null, true);
    end $$ language plpgsql;

  create function audit.delete_sale(id int) returns void as $$
    begin
      if not pg_try_advisory_xact_lock(1, id) then return; end if;
      delete from sale where sale_id = id;
      if found then insert into audit.change values ('fact_sale', id, nextval('audit.counter'), null, false); end if;
    end $$ language plpgsql;

  create function audit.touch_sale(id int) returns void as $$
    begin
      if pg_try_advisory_xact_lock(1, id) then update sale set counter = counter where sale_id = id; end if;
    end $$ language plpgsql;

  create function audit.rename(a_town int, a_stall int) returns void as $$
    begin
      if pg_try_advisory_xact_lock(3, a_town) then update town set name = 'town ' || nextval('audit.counter') where town_id = a_town; end if;
      if pg_try_advisory_xact_lock(4, a_stall) then update stall set name = 'stall ' || nextval('audit.counter') where stall_id = a_stall; end if;
    end $$ language plpgsql;

  create function audit.open_stall(id int) returns void as $$
    begin
      if pg_try_advisory_xact_lock(4, id) then insert into stall values (id, 'stall ' || id, 1 + id % 3) on conflict do nothing; end if;
    end $$ language plpgsql;

  insert into town select n, 'town ' || n from generate_series(1, 3) n;
  insert into stall select n, 'stall ' || n, 1 + n % 3 from generate_series(1, 6) n;
  select audit.put_sale(n, 1 + n % 6, n, case when n % 3 = 0 then 'note ' || n end, true) from generate_series(1, 60) n;
  select audit.put_refund(n, 1 + n % 6, n) from generate_series(1, 20) n`;

/** Keys beyond the first 60 are new. */
const SALES = 90;
const REFUNDS = 30;
/** Stalls from here on are sold at before they are there. */
const LATE_STALL = 7;
const LAST_STALL = 12;

/** Changes the market, in transactions that overlap, over several connections. */
export class Writer {
  readonly #clients: readonly pg.Client[];
  readonly #seed: number;
  readonly #end = new AbortController();
  readonly #done: Promise<unknown>;
  readonly #prepared = new Set<string>();

  constructor(clients: readonly pg.Client[], seed: number) {
    this.#clients = clients;
    this.#seed = seed;
    this.#done = Promise.all(clients.map(async (client, at) => this.#session(client, at)));
    // Whoever stops it is told.
    this.#done.catch(() => undefined);
  }

  /** Ends every transaction, one way or the other. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#done;
    const random = randomFrom(this.#seed, 'end');
    for (const id of this.#prepared) await this.#finish(this.#clients[0], random, id);
  }

  async #session(client: pg.Client, at: number): Promise<void> {
    const random = randomFrom(this.#seed, 'session', at);
    for (let turn = 0; !this.#end.signal.aborted; turn += 1) {
      await this.#transaction(client, random, `${this.#seed}-${at}-${turn}`);
      await sleep(random.int(5, 40));
      const [oldest] = this.#prepared;
      if (oldest !== undefined && random.chance(0.3)) await this.#finish(client, random, oldest);
    }
  }

  async #transaction(client: pg.Client, random: Random, id: string): Promise<void> {
    await client.query('begin');
    for (let left = random.int(1, 4); left > 0; left -= 1) {
      if (random.chance(0.2)) await this.#savepoint(client, random);
      else await client.query(changeOf(random));
      // Some are late by whole batches.
      await sleep(random.chance(0.1) ? random.int(100, 400) : random.int(0, 15));
    }
    const end = random.weighted([['commit', 8], ['rollback', 1], ['prepare', 1]]);
    if (end !== 'prepare') return void (await client.query(end));
    await client.query(`prepare transaction '${id}'`);
    this.#prepared.add(id);
  }

  async #savepoint(client: pg.Client, random: Random): Promise<void> {
    await client.query('savepoint one');
    await client.query(changeOf(random));
    await client.query(random.chance(0.4) ? 'rollback to one' : 'release one');
  }

  async #finish(client: pg.Client | undefined, random: Random, id: string): Promise<void> {
    if (!this.#prepared.delete(id)) return;
    await client?.query(`${random.chance(0.7) ? 'commit' : 'rollback'} prepared '${id}'`);
  }
}

function changeOf(random: Random): string {
  const id = random.int(1, SALES);
  const stall = random.chance(0.1) ? random.int(LATE_STALL, LAST_STALL) : random.int(1, LATE_STALL - 1);
  // Three decimals do not fit.
  const cost = random.chance(0.05) ? '1.005' : (random.int(1, 9999) / 100).toFixed(2);
  const note = random.chance(0.4) ? `'note ${random.int(1, 9)}'` : 'null';
  return random.weighted([
    [`select audit.put_sale(${id}, ${stall}, ${cost}, ${note}, ${random.chance(0.5)})`, 12],
    [`select audit.put_refund(${random.int(1, REFUNDS)}, ${stall}, ${cost})`, 3],
    [`select audit.delete_sale(${id})`, 2],
    [`select audit.touch_sale(${id})`, 2],
    [`select audit.rename(${random.int(1, 3)}, ${random.int(1, 6)})`, 1],
    [`select audit.open_stall(${random.int(LATE_STALL, LAST_STALL)})`, 1],
  ]);
}

import type { Client } from 'pg';
import { atomically } from '../../src/local/totesys/atomic.ts';
import { CLOSES_MS, dayOf, DAY_MS, OPENS_MS, SETTLES_MS, workingDayFrom } from '../../src/local/totesys/calendar.ts';
import {
  editRowsSilently, renameDepartment, settlePayments, updateWithoutChange,
} from '../../src/local/totesys/edits.ts';
import { SALES_PER_DESIGN } from '../../src/local/totesys/history.ts';
import { addDesigns, takeOrders } from '../../src/local/totesys/intake.ts';
import { type Random, randomFrom } from '../../src/local/totesys/random.ts';
import { readState } from '../../src/local/totesys/state.ts';

export const QUARTER_MS = 15 * 60_000;
const NOON_MS = DAY_MS / 2;

/** One a quarter of an office hour, with what follows from it: so that every look of the office's day finds something. */
const SALES_A_QUARTER = 1;
const QUARTERS_OPEN = (CLOSES_MS - OPENS_MS) / QUARTER_MS;
const DESIGNS = Math.ceil((SALES_A_QUARTER * QUARTERS_OPEN) / SALES_PER_DESIGN);
/** As many as `liveOneDay` has on a day with so many sales. */
const SILENT_EDITS = Math.ceil((SALES_A_QUARTER * QUARTERS_OPEN) / 8);

/** A day of the source in the generator's own pieces, a quarter of an hour at a time. */
export class SourceDay {
  readonly #client: Client;
  readonly #seed: number;
  readonly #day: number;
  readonly #random: Random;
  /** Rows that were inserted or updated, by what happened. */
  readonly changed: Record<string, number> = {};

  private constructor(client: Client, seed: number, day: number) {
    this.#client = client;
    this.#seed = seed;
    this.#day = day;
    this.#random = randomFrom(seed, 'measured day', day);
  }

  /** The next weekday of the source. */
  static async next(client: Client, seed: number): Promise<SourceDay> {
    const { latest } = await readState(client);
    return new SourceDay(client, seed, workingDayFrom(dayOf(latest) + 1));
  }

  /** @param number how many quarters of an hour of the day are over when it ends. */
  async quarter(number: number): Promise<void> {
    const hours = { from: (number - 1) * QUARTER_MS, to: number * QUARTER_MS };
    const brings = (moment: number) => moment >= hours.from && moment < hours.to;
    if (brings(SETTLES_MS)) await this.#settle();
    if (brings(OPENS_MS)) await this.#design();
    if (hours.from >= OPENS_MS && hours.to <= CLOSES_MS) await this.#takeOrders(hours);
    if (brings(NOON_MS)) await this.#edit();
  }

  async #settle(): Promise<void> {
    const { latest } = await readState(this.#client);
    this.#count('payments paid', await atomically(this.#client, async () =>
      settlePayments(this.#client, this.#random, this.#seed, dayOf(latest), this.#day)));
  }

  async #design(): Promise<void> {
    const ids = await atomically(this.#client, async () => addDesigns(this.#client, this.#random, this.#day, DESIGNS));
    this.#count('designs', ids.length);
  }

  async #takeOrders(hours: { readonly from: number; readonly to: number }): Promise<void> {
    const state = await readState(this.#client);
    const round = { day: this.#day, hours, sales: SALES_A_QUARTER, burstShare: 0 };
    const { sales, purchases } = await atomically(this.#client, async () =>
      takeOrders(this.#client, this.#random, state, round, this.#seed));
    this.#count('sales orders', sales);
    this.#count('purchase orders', purchases);
    this.#count('transactions and payments', 2 * (sales + purchases));
  }

  async #edit(): Promise<void> {
    const [client, random] = [this.#client, this.#random];
    const state = await readState(client);
    const edits = await atomically(client, async () => editRowsSilently(client, random, state, SILENT_EDITS));
    await atomically(client, async () => updateWithoutChange(client, random, state, edits.salesOrderIds));
    await atomically(client, async () => renameDepartment(client, random, this.#day));
    this.#count('silent edits', Object.values(edits).flat().length);
    this.#count('departments renamed', 1);
  }

  #count(what: string, rows: number): void {
    this.changed[what] = (this.changed[what] ?? 0) + rows;
  }
}

import type { Data } from 'apache-arrow';
import { Validity } from './binary-rows.ts';

/** Values this near to each other are kept as a byte each: what is referred to is mostly numbered from one on. */
const SPAN = 2 ** 16;
/** Of those that are not, so many: more are not worth being sent to the server. */
const MAX_FAR_VALUES = 2 ** 16;

/**
 * The different values of a column of 32 bits, gathered while its rows are copied: whether all of them are in a table is
 * then asked of the values, and the rows need not be read again for it.
 */
export class DistinctValues {
  readonly #far = new Set<number>();
  #near: Uint8Array | null = null;
  #base = 0;
  #lowest = SPAN;
  #highest = -1;
  #isOver = false;

  /** @param data Of a column of `int` or `date`. */
  add(data: Data): void {
    const { length } = data;
    const values: Int32Array = data.values;
    const validity = new Validity(data);
    for (let row = 0; row < length && !this.#isOver; row += 1) {
      if (!validity.isNull(row)) this.#see(values[row] ?? 0);
    }
  }

  /** Nothing is known any more: there are rows whose values were not told. */
  giveUp(): void {
    this.#isOver = true;
  }

  /** In no order; null where they are too many. */
  values(): readonly number[] | null {
    const found = [...this.#far];
    for (let at = this.#lowest; at <= this.#highest; at += 1) {
      if (this.#near?.[at] === 1) found.push(this.#base + at);
    }
    return this.#isOver ? null : found;
  }

  #see(value: number): void {
    if (!this.#near) {
      this.#near = new Uint8Array(SPAN);
      this.#base = value - SPAN / 2;
    }
    const at = value - this.#base;
    if (at >= 0 && at < SPAN) {
      this.#near[at] = 1;
      if (at < this.#lowest) this.#lowest = at;
      if (at > this.#highest) this.#highest = at;
      return;
    }
    this.#far.add(value);
    if (this.#far.size > MAX_FAR_VALUES) this.#isOver = true;
  }
}

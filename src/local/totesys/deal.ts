import type { Order } from './order.ts';
import type { Random } from './random.ts';

/** An order with the numbers of what follows from it. */
export interface Deal {
  readonly order: Order;
  readonly transactionId: number;
  readonly paymentId: number;
}

/** Orders of one millisecond are numbered in random order, and now and then two payments change places. */
export function numberDeals(
  random: Random,
  orders: readonly Order[],
  first: Pick<Deal, 'transactionId' | 'paymentId'>,
): Deal[] {
  const inOrder = random.shuffle(orders).toSorted((a, b) => a.createdAt - b.createdAt);
  const deals = inOrder.map((order, offset) =>
    ({ order, transactionId: first.transactionId + offset, paymentId: first.paymentId + offset }));
  for (let i = 1; i < deals.length; i += 1) {
    const [one, other] = [deals[i - 1], deals[i]];
    if (one === undefined || other === undefined || !random.chance(0.01)) continue;
    deals[i - 1] = { ...one, paymentId: other.paymentId };
    deals[i] = { ...other, paymentId: one.paymentId };
  }
  return deals;
}

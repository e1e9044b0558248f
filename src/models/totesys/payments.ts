import { numeric } from '../../shared/model/column.ts';
import { dimDate, dimension } from '../../shared/model/dimension.ts';
import { column, date, datePart, key, timePart } from '../../shared/model/expression.ts';
import { fact } from '../../shared/model/fact.ts';
import { dimCounterparty, dimCurrency } from './dimensions.ts';
import { payment, paymentType, transaction } from './source.ts';

export const dimPaymentType = dimension('dim_payment_type', paymentType, {
  payment_type_id: key(),
  payment_type_name: column(),
});

export const dimTransaction = dimension('dim_transaction', transaction, {
  transaction_id: key(),
  transaction_type: column(),
  sales_order_id: column(),
  purchase_order_id: column(),
});

/** The payments star: what is owed and paid, in which direction. */
export const factPayment = fact(
  'fact_payment',
  payment,
  { recordKey: 'payment_record_id', createdAt: 'created_at', lastUpdated: 'last_updated' },
  {
    payment_id: key(),
    created_date: datePart('created_at').references(dimDate),
    created_time: timePart('created_at'),
    last_updated_date: datePart('last_updated').references(dimDate),
    last_updated_time: timePart('last_updated'),
    transaction_id: column().references(dimTransaction),
    counterparty_id: column().references(dimCounterparty),
    payment_amount: column().as(numeric(10, 2)),
    currency_id: column().references(dimCurrency),
    payment_type_id: column().references(dimPaymentType),
    paid: column(),
    payment_date: date('payment_date').references(dimDate),
  },
);

import { numeric } from '../../shared/model/column.ts';
import { dimDate } from '../../shared/model/dimension.ts';
import { column, date, datePart, key, timePart } from '../../shared/model/expression.ts';
import { fact } from '../../shared/model/fact.ts';
import { dimCounterparty, dimCurrency, dimLocation, dimStaff } from './dimensions.ts';
import { purchaseOrder } from './source.ts';

/** The purchases star: what was bought, from whom, by whom, at what price. */
export const factPurchaseOrder = fact(
  'fact_purchase_order',
  purchaseOrder,
  { recordKey: 'purchase_record_id', createdAt: 'created_at', lastUpdated: 'last_updated' },
  {
    purchase_order_id: key(),
    created_date: datePart('created_at').references(dimDate),
    created_time: timePart('created_at'),
    last_updated_date: datePart('last_updated').references(dimDate),
    last_updated_time: timePart('last_updated'),
    staff_id: column().references(dimStaff),
    counterparty_id: column().references(dimCounterparty),
    item_code: column(),
    item_quantity: column(),
    item_unit_price: column().as(numeric(10, 2)),
    currency_id: column().references(dimCurrency),
    agreed_delivery_date: date('agreed_delivery_date').references(dimDate),
    agreed_payment_date: date('agreed_payment_date').references(dimDate),
    agreed_delivery_location_id: column().references(dimLocation),
  },
);

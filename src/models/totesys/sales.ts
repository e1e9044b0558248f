import { numeric } from '../../shared/model/column.ts';
import { dimDate } from '../../shared/model/dimension.ts';
import { column, date, datePart, key, timePart } from '../../shared/model/expression.ts';
import { fact } from '../../shared/model/fact.ts';
import { dimCounterparty, dimCurrency, dimDesign, dimLocation, dimStaff } from './dimensions.ts';
import { salesOrder } from './source.ts';

/** The sales star: what was sold, to whom, by whom, at what price. */
export const factSalesOrder = fact(
  'fact_sales_order',
  salesOrder,
  { recordKey: 'sales_record_id', createdAt: 'created_at', lastUpdated: 'last_updated' },
  {
    sales_order_id: key(),
    created_date: datePart('created_at').references(dimDate),
    created_time: timePart('created_at'),
    last_updated_date: datePart('last_updated').references(dimDate),
    last_updated_time: timePart('last_updated'),
    sales_staff_id: column('staff_id').references(dimStaff),
    counterparty_id: column().references(dimCounterparty),
    units_sold: column(),
    unit_price: column().as(numeric(10, 2)),
    currency_id: column().references(dimCurrency),
    design_id: column().references(dimDesign),
    agreed_payment_date: date('agreed_payment_date').references(dimDate),
    agreed_delivery_date: date('agreed_delivery_date').references(dimDate),
    agreed_delivery_location_id: column().references(dimLocation),
  },
);

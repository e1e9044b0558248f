import { model } from '../../shared/model/model.ts';
import { dimCounterparty, dimCurrency, dimDesign, dimLocation, dimStaff } from './dimensions.ts';
import { dimPaymentType, dimTransaction, factPayment } from './payments.ts';
import { factPurchaseOrder } from './purchases.ts';
import { factSalesOrder } from './sales.ts';
import * as source from './source.ts';

/** Totesys as Starling follows it: every table is ingested, three stars are kept. */
export const totesys = model({
  tables: Object.values(source),
  dimensions: [
    dimStaff,
    dimLocation,
    dimCurrency,
    dimDesign,
    dimCounterparty,
    dimPaymentType,
    dimTransaction,
  ],
  facts: [factSalesOrder, factPurchaseOrder, factPayment],
});

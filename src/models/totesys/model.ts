import { declarationsOf } from '../../shared/model/declarations.ts';
import { model } from '../../shared/model/model.ts';
import * as dimensions from './dimensions.ts';
import * as payments from './payments.ts';
import * as purchases from './purchases.ts';
import * as sales from './sales.ts';
import * as source from './source.ts';

/** Totesys as Starling follows it: every table is ingested, three stars are kept. Whatever these files export is in it. */
export const totesys = model(declarationsOf(source, dimensions, sales, purchases, payments));

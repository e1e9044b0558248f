import { createHash } from 'node:crypto';
import type { FactSpec } from '../../shared/model/fact.ts';
import { historyName } from '../../shared/model/model.ts';
import { literal, qualified } from '../../shared/postgres/sql.ts';
import { historyView } from './history.ts';

/** A history view as the warehouse has it. */
export interface ExistingView {
  readonly columns: readonly string[];
  /** Its comment, which says what it was made from. */
  readonly comment: string | null;
}

/** What to do to a view before its fact table is changed, and after. */
export interface ViewChanges {
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/**
 * A view is made again when the declaration it was made from, which its comment names, is another one. It can only
 * grow in place; where a column it shows changes its type (`retyped`), it has to go first.
 */
export function viewChanges(
  schema: string,
  fact: FactSpec,
  existing: ExistingView | null,
  retyped: boolean,
): ViewChanges {
  const view = qualified(schema, historyName(fact));
  const fresh = historyView(schema, fact, []);
  const comment = `Starling ${createHash('sha256').update(fresh).digest('hex').slice(0, 16)}`;
  if (existing?.comment === comment && !retyped) return { before: [], after: [] };
  const label = `comment on view ${view} is ${literal(comment)}`;
  if (!existing) return { before: [], after: [fresh, label] };
  if (retyped) return { before: [`drop view ${view}`], after: [fresh, label] };
  return { before: [], after: [historyView(schema, fact, existing.columns), label] };
}

import type { Step } from './steps.ts';

/** Long enough to tell statements from each other. */
const NAME_CHARACTERS = 160;

/**
 * The step that a statement is. What differs from one run to the next is left out of its name: literals, numbers,
 * transaction ids.
 */
export function statementStep(side: string, sql: string): Step {
  const text = sql.replaceAll(/\s+/g, ' ').trim().toLowerCase();
  const name = text.replaceAll(/'[^']*'/g, '?').replaceAll(/\b\d+\b/g, '?').slice(0, NAME_CHARACTERS);
  return { name: `${side}: ${name}`, kind: `${side}: ${kindOf(text)}` };
}

/** What a statement does, and to what where that is Starling's own. The first that fits. */
const KINDS: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ['nothing', /^$/],
  ['snapshot', /^select pg_catalog\.pg_current_snapshot/],
  ['count of changes', /^select count\(\*\) as rows, bit_or/],
  ['copy to stdout', /^copy \(/],
  ['copy into staged', /^copy "?pipeline"?\."?staged_/],
  ['copy from stdin', /^copy /],
  ['$& of ledger', /^(insert into|update)(?= pipeline\.ledger)/],
  ['$& of quarantine', /^(insert into|update)(?= pipeline\.quarantine)/],
  ['$& of staged parts', /^(insert into|update)(?= pipeline\.staged_part)/],
  ['move into quarantine', /^with .*insert into pipeline\.quarantine/],
  ['append to a fact', /^with .*insert into "/],
  ['insert', /^insert into/],
  ['update', /^update/],
  ['delete', /^delete/],
  ['$1', /^(begin|commit|rollback to savepoint|rollback|savepoint|release savepoint|set|lock|comment|analyze|drop|alter|create (?:temporary table|unlogged table|table|schema|index|or replace view))\b/],
  ['select of ledger', /^select .*from pipeline\.ledger/],
  ['$1 of staged parts', /^(select) .*from pipeline\.staged_part/],
  ['select of quarantine', /^select .*from pipeline\.quarantine/],
  ['select', /^(select|with)/],
];

function kindOf(text: string): string {
  for (const [kind, pattern] of KINDS) {
    const found = pattern.exec(text);
    if (found) return kind.replace(/\$[1&]/, found[1] ?? '');
  }
  throw new Error(`a statement of no known kind: ${text}`);
}

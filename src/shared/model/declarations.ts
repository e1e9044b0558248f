import type { Dimension } from './dimension.ts';
import type { Fact } from './fact.ts';
import type { Declarations } from './model.ts';
import type { Table } from './table.ts';

/** Anything that a model is made of. */
type Declaration = Table | Dimension | Fact;

/**
 * Everything that the modules export: `model(declarationsOf(source, sales))`. A declaration that is written and exported
 * is in the model; there is no list to forget it in.
 */
export function declarationsOf(...modules: readonly Readonly<Record<string, Declaration>>[]): Declarations {
  const all = modules.flatMap(inOrder);
  return { tables: all.filter(isTable), dimensions: all.filter(isDimension), facts: all.filter(isFact) };
}

/** By the exports' names: a module lists them so, but what a bundler or test runner makes of it may not, and hashes tell. */
function inOrder(module: Readonly<Record<string, Declaration>>): readonly Declaration[] {
  return Object.entries(module)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, declaration]) => declaration);
}

function isTable(declaration: Declaration): declaration is Table {
  return 'strategy' in declaration.spec;
}

function isFact(declaration: Declaration): declaration is Fact {
  return 'recordKey' in declaration.spec;
}

function isDimension(declaration: Declaration): declaration is Dimension {
  return !isTable(declaration) && !isFact(declaration);
}

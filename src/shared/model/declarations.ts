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
  const all = modules.flatMap((module) => Object.values(module));
  return { tables: all.filter(isTable), dimensions: all.filter(isDimension), facts: all.filter(isFact) };
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

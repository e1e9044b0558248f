import { expect, test } from 'vitest';
import { declarationsOf } from '../../../src/shared/model/declarations.ts';
import { model } from '../../../src/shared/model/model.ts';
import { dimPerson, dimTeam, factSale, person, sale, team } from '../../support/teams.ts';

test('the order of a module’s exports is not told by the hash', () => {
  const [one, two] = [
    { team, person, sale },
    { sale, person, team },
  ].map((tables) => declarationsOf(tables, { dimTeam, dimPerson }));
  expect(one && two && model(one).hash === model(two).hash).toBe(true);
});

test('everything that modules export is in the model, as what it is', () => {
  const declarations = declarationsOf({ team, factSale, person }, { dimTeam }, {}, { sale, dimPerson });
  expect(declarations).toEqual({ tables: [person, team, sale], dimensions: [dimTeam, dimPerson], facts: [factSale] });
  expect(model(declarations).facts.map(({ name }) => name)).toEqual(['fact_sale']);
});

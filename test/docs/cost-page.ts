import type { Figures } from '../aws/day-figures.ts';
import { type Line, linesOf, type Prices, total, usdOf, variations } from './bill.ts';
import type { Deployed } from './deployed.ts';

export const COST_PAGE = new URL('../../docs/COST.md', import.meta.url);

type Row = readonly string[];

/** The cells of the table below a heading, without its head. */
export function tableUnder(page: string, heading: string): readonly Row[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|')).slice(2);
  if (rows.length === 0) throw new Error(`no table under ${heading}`);
  return rows.map((row) => row.slice(1, -1).split('|').map((cell) => cell.trim()));
}

export function pricesOf(page: string): Prices {
  return new Map(tableUnder(page, 'Unit prices').map(([name = '', usd = '', per = '', free = '']) =>
    [name, { usd: numberOf(usd), per: numberOf(per), free: numberOf(free) }]));
}

function numberOf(text: string): number {
  const number = text === '–' ? 0 : Number(text.replaceAll(',', ''));
  if (text === '' || Number.isNaN(number)) throw new Error(`no number: '${text}'`);
  return number;
}

/** As the page writes amounts: whole from a hundred on, three digits below. */
export function amount(value: number | null): string {
  if (value === null) return '–';
  const rounded = value >= 100 ? Math.round(value) : Number(value.toPrecision(3));
  return rounded.toLocaleString('en-GB', { maximumFractionDigits: 6 });
}

export const usd = (value: number): string => value.toFixed(2);

/** The tables that follow from figures, by heading: all cells but the last, which is text, where `hasText`. */
export interface Table {
  readonly rows: readonly Row[];
  readonly hasText: boolean;
}

export function tablesOf(page: string, figures: Figures, deployed: Deployed): ReadonlyMap<string, Table> {
  const prices = pricesOf(page);
  const lines = linesOf(figures, deployed);
  return new Map([
    ['A month', { rows: month(page, lines, prices), hasText: true }],
    ['What drives it', { rows: drivers(lines, prices), hasText: false }],
    ['Other choices', { rows: choices(variations(figures, deployed, prices), total(lines, prices)), hasText: true }],
  ]);
}

function month(page: string, lines: readonly Line[], prices: Prices): readonly Row[] {
  const written = new Map(tableUnder(page, 'Unit prices').map(([name = '', price = '', per = '']) => [name, `${price} / ${per}`]));
  const rows = lines.map((line) => [
    line.name, amount(line.workingDay), amount(line.quietDay), amount(line.month),
    written.get(line.name) ?? '', usd(usdOf(line, prices)),
  ]);
  return [...rows, ['**Sum**', '', '', '', '', `**${usd(total(lines, prices))}**`]];
}

/** Those over a tenth. */
function drivers(lines: readonly Line[], prices: Prices): readonly Row[] {
  const sum = total(lines, prices);
  return lines
    .map((line) => ({ name: line.name, share: usdOf(line, prices) / sum }))
    .filter(({ share }) => share > 0.1)
    .toSorted((a, b) => b.share - a.share)
    .map(({ name, share }) => [name, `${Math.round(share * 100)} %`]);
}

function choices(others: ReadonlyMap<string, number>, sum: number): readonly Row[] {
  return [...others].map(([name, other]) => [name, usd(other), `${other > sum ? '+' : '−'}${usd(Math.abs(other - sum))}`]);
}

/** The page with these tables; what is said of a row stays. Its sentences are written by hand: the test tells which. */
export function withTables(page: string, tables: ReadonlyMap<string, Table>): string {
  return page.split(/^(?=## )/m).map((section) => {
    const heading = /^## (.*)\n/.exec(section)?.[1] ?? '';
    const table = tables.get(heading);
    return table ? withRows(section, table, tableUnder(page, heading)) : section;
  }).join('');
}

function withRows(section: string, { rows, hasText }: Table, before: readonly Row[]): string {
  const texts = new Map(before.map((row) => [row[0], row.at(-1) ?? '']));
  const written = rows.map((row) => `| ${[...row, ...(hasText ? [texts.get(row[0]) ?? ''] : [])].join(' | ')} |`);
  const others = section.split('\n');
  const first = others.findIndex((line) => line.startsWith('|'));
  others.splice(first + 2, before.length, ...written);
  return others.join('\n');
}

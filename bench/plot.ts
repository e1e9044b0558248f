/** docs/performance.svg: time and memory of each stage against rows. */

import type { CurvePoint } from './scope.ts';
import { STAGES, type Stage } from '../src/shared/report.ts';
import { number } from './page.ts';

const COLOURS: Readonly<Record<Stage, string>> = { ingest: '#1b6ca8', transform: '#c2571a', load: '#2f7d3b' };

const [PANEL_WIDTH, PANEL_HEIGHT] = [320, 220];
const MARGIN = { left: 58, right: 24, top: 44, bottom: 48 };
const [WIDTH, HEIGHT] = [2 * (PANEL_WIDTH + MARGIN.left + MARGIN.right), PANEL_HEIGHT + MARGIN.top + MARGIN.bottom];

interface Panel {
  readonly title: string;
  /** Its left edge. */
  readonly x: number;
  readonly valueOf: (point: CurvePoint, stage: Stage) => number;
}

const PANELS: readonly Panel[] = [
  { title: 'seconds, each stage in a process of its own', x: MARGIN.left, valueOf: (point, stage) => point[stage].seconds },
  { title: 'peak memory, MB', x: 2 * MARGIN.left + PANEL_WIDTH + MARGIN.right, valueOf: (point, stage) => point[stage].peak_mb },
];

/** Both axes begin at zero: a line that is flat is flat. */
export function plot(points: readonly CurvePoint[]): string {
  const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11" role="img">`;
  const title = '<title>Time and memory of the three stages against sales orders</title>';
  const background = `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`;
  return `${[head, title, background, ...PANELS.flatMap((panel) => drawPanel(panel, points)), '</svg>'].join('\n')}\n`;
}

function drawPanel({ title, x, valueOf }: Panel, points: readonly CurvePoint[]): string[] {
  const mostRows = Math.max(...points.map(({ rows }) => rows));
  const most = roundUp(Math.max(...points.flatMap((point) => STAGES.map((stage) => valueOf(point, stage)))));
  const bottom = MARGIN.top + PANEL_HEIGHT;
  const xOf = (rows: number): number => x + (rows / mostRows) * PANEL_WIDTH;
  const yOf = (value: number): number => bottom - (value / most) * PANEL_HEIGHT;
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return [
    label(x, MARGIN.top - 22, title, 'start', '#222'),
    ...ticks.map((part) => line(x, yOf(most * part), x + PANEL_WIDTH, yOf(most * part), '#ddd')),
    ...ticks.map((part) => label(x - 6, yOf(most * part) + 4, number(most * part), 'end')),
    ...ticks.slice(1).map((part) => label(xOf(mostRows * part), bottom + 16, number(mostRows * part), 'middle')),
    label(x + PANEL_WIDTH / 2, bottom + 34, 'sales orders', 'middle'),
    ...STAGES.map((stage, at) => label(x + 8 + at * 70, MARGIN.top - 6, stage, 'start', COLOURS[stage])),
    ...STAGES.flatMap((stage) => drawLine(points.map((point) => [xOf(point.rows), yOf(valueOf(point, stage))]), COLOURS[stage])),
  ];
}

function drawLine(places: readonly (readonly [x: number, y: number])[], colour: string): string[] {
  const path = places.map(([x, y]) => `${at(x)},${at(y)}`).join(' ');
  const dots = places.map(([x, y]) => `<circle cx="${at(x)}" cy="${at(y)}" r="2.5" fill="${colour}"/>`);
  return [`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.6"/>`, ...dots];
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  return `<line x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}" stroke="${colour}"/>`;
}

function label(x: number, y: number, text: string, anchor: 'start' | 'middle' | 'end', colour = '#555'): string {
  return `<text x="${at(x)}" y="${at(y)}" text-anchor="${anchor}" fill="${colour}">${text}</text>`;
}

function at(place: number): string {
  return place.toFixed(1);
}

/** The next of 1, 2, 4 and 8 times a power of ten: quarters of it are short numbers. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 4, 8].find((step) => step * power >= value)) ?? 10) * power;
}

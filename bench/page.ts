/** The part of docs/PERFORMANCE.md that the benchmark writes. */

import type { Results } from './results.ts';
import { type Figure, short } from './scope.ts';

const BEGIN = '<!-- written by make bench: from here -->';
const END = '<!-- written by make bench: to here -->';

/** Less than that passes in any system. */
const BUSY = 0.05;

/** The page with what is between its two markers made anew. */
export function fillPage(page: string, results: Results): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error('docs/PERFORMANCE.md has lost its markers');
  return `${page.slice(0, begin + BEGIN.length)}\n\n${summary(results)}\n\n${page.slice(end)}`;
}

function summary(results: Results): string {
  const missed = results.figures.filter(({ reached }) => !reached).map(({ name }) => `\`${name}\``);
  return [
    machineOf(results),
    '',
    '| figure | value | to reach | ours | yardstick | processors: ours | yardstick |',
    '|---|---:|---|---:|---:|---:|---:|',
    ...results.figures.map(rowOf),
    '',
    missed.length === 0 ? 'All are reached.' : `**Not reached: ${missed.join(', ')}.**`,
  ].join('\n');
}

function machineOf(results: Results): string {
  const { rows, rounds, date, cores, processor, memory_gb, system, node, postgres, copy_client, others } = results;
  const machine = `${cores} × ${processor}, ${memory_gb} GB, ${system}`;
  const share = `${Math.round((others ?? 0) * 100)} % of its processors' time`;
  const busy = (others ?? 0) < BUSY ? '' : ` **The machine had other things to do** (${share}): compare the processors' seconds.`;
  return (
    `${number(rows)} sales orders, ${rounds} rounds, ${date}: ${machine}; Node ${node}, PostgreSQL ${postgres}, ${copy_client}. ` +
    `The data: ${results.data}.${busy}`
  );
}

function rowOf({ name, value, target, reached, ours, yardstick, unit, ours_cpu, yardstick_cpu }: Figure): string {
  const cells = [
    `\`${name}\``,
    reached ? short(value) : `**${short(value)}**`,
    target,
    `${short(ours)} ${unit}`,
    yardstick === null ? '–' : `${short(yardstick)} ${unit}`,
    secondsOf(ours_cpu),
    secondsOf(yardstick_cpu),
  ];
  return `| ${cells.join(' | ')} |`;
}

function secondsOf(cpu: number | null): string {
  return cpu === null ? '–' : `${short(cpu)} s`;
}

export function number(value: number): string {
  return value.toLocaleString('en-US');
}

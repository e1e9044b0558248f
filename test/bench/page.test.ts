import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { medians } from '../../bench/measured.ts';
import { fillPage } from '../../bench/page.ts';
import { plot } from '../../bench/plot.ts';
import type { Results } from '../../bench/results.ts';
import { type CurvePoint, figure, lineOf, TARGETS } from '../../bench/scope.ts';

const page = await readFile(new URL('../../docs/PERFORMANCE.md', import.meta.url), 'utf8');

const reached = figure('load_vs_copy', { value: 1.1, ours: 4.4, yardstick: 4, unit: 's', ours_cpu: 5, yardstick_cpu: 4 });
const missed = figure('transform_rss_growth', { value: 1.05, ours: 310, yardstick: 295, unit: 'MB' });
const results: Results = {
  figures: [reached, missed], rows: 2_000_000, rounds: 5, cores: 2, node: 'v20.19.0', postgres: '18.4', date: '2026-01-02',
  processor: 'Abacus', memory_gb: 8, system: 'linux x64', copy_client: 'psql 18', others: 0.01, data: 'made up',
};

const pointAt = (rows: number): CurvePoint => {
  const stage = { seconds: rows / 1_000_000, peak_mb: 100 };
  return { rows, ingest: stage, transform: stage, load: stage };
};

function around(text: string): readonly string[] {
  return [text.split('<!--')[0] ?? '', text.split('-->').at(-1) ?? ''];
}

describe('a figure', () => {
  test('that misses any of its targets is said to', () => {
    expect([reached.reached, missed.reached]).toEqual([true, false]);
    expect(lineOf(reached)).toBe('load_vs_copy 1.1 (ours 4.4 s yardstick 4 s, of the processors 5 and 4 s) ≤ 1.15');
    expect(lineOf(missed)).toContain('MISSED, to reach: ≤ 1.1, ours ≤ 300 MB');
    const slower = figure('rows_per_s_growth', { value: 0.9, ours: 90, yardstick: 100, unit: 'rows/s' });
    expect(slower.reached).toBe(false);
  });

  test('is made of medians', () => {
    const samples = [3, 1, 2, 100].map((seconds) => ({ seconds, cpu: seconds, peakMb: seconds }));
    expect(medians(samples)).toEqual({ seconds: 2.5, cpu: 2.5, peakMb: 2.5 });
    expect(medians([...samples, { seconds: 1, cpu: null, peakMb: null }])).toEqual({ seconds: 2, cpu: null, peakMb: null });
  });
});

describe('docs/PERFORMANCE.md', () => {
  test('explains every figure', () => {
    const explained = new Set([...page.slice(page.indexOf('## How to read it')).matchAll(/`(\w+)`/g)].map(([, name]) => name));
    expect(Object.keys(TARGETS).filter((name) => !explained.has(name))).toEqual([]);
  });

  test('gets what was measured between its markers, once, and keeps what is around', () => {
    const filled = fillPage(page, results);
    expect(filled).toContain('| `load_vs_copy` | 1.1 | ≤ 1.15 | 4.4 s | 4 s | 5 s | 4 s |');
    expect(filled).toContain('| `transform_rss_growth` | **1.05** | ≤ 1.1, ours ≤ 300 MB | 310 MB | 295 MB | – | – |');
    expect(filled).toContain('**Not reached: `transform_rss_growth`.**');
    expect(filled).toContain('2,000,000 sales orders, 5 rounds, 2026-01-02: 2 × Abacus');
    expect(filled).not.toContain('The machine had other things to do');
    expect(fillPage(filled, results)).toBe(filled);
    expect(around(filled)).toEqual(around(page));
    expect(fillPage(page, { ...results, others: 0.3 })).toContain('The machine had other things to do** (30 % of');
    expect(() => fillPage('no markers', results)).toThrow('markers');
  });
});

describe('the plot', () => {
  test('has a line a stage in both panels, through all points, from zero on', () => {
    const svg = plot([500_000, 1_000_000, 2_000_000].map(pointAt));
    const lines = [...svg.matchAll(/<polyline points="([^"]*)"/g)].map((match) => match[1]?.split(' ') ?? []);
    expect(lines.map((points) => points.length)).toEqual([3, 3, 3, 3, 3, 3]);
    // Twice the rows are twice as far to the right, and here twice as high; memory does not grow.
    expect(lines[0]).toEqual(['138.0,209.0', '218.0,154.0', '378.0,44.0']);
    expect(new Set(lines[3]?.map((place) => place.split(',')[1])).size).toBe(1);
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });
});

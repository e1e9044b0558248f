import type { PipelineContext } from '../../src/cli/context.ts';
import { runStage } from '../../src/cli/pipeline.ts';
import { workRange as ingestRange } from '../../src/ingest/range.ts';
import { workRange as loadRange } from '../../src/load/range.ts';
import type { Random } from '../../src/local/totesys/random.ts';
import type { RangeOutcome, RangeRef, Splitting } from '../../src/shared/lake/split.ts';
import type { Stage } from '../../src/shared/report.ts';
import { workRange as transformRange } from '../../src/transform/range.ts';

/** A stage that does batches in ranges: it looks, works what it has handed itself, and looks again. */

/** The smallest of batches, in three ranges or so. */
const SIZES = { thresholdBytes: 1, rangeBytes: 1, ranges: 4 } as const;

/** What a queue does to one message in so many: the one is lost, the other comes twice. */
const LOST_CHANCE = 0.1;
const TWICE_CHANCE = 0.1;

type StageContext = PipelineContext & { readonly waitForLoader?: string };

/**
 * Runs a stage until a look hands nothing out.
 * @param random What befalls the messages, which come in any order; null where each comes once, in its place.
 * @returns how many batches were committed.
 */
export async function runInRanges(stage: Stage, context: StageContext, random: Random | null): Promise<number> {
  const sent: RangeRef[] = [];
  const send = async (refs: readonly RangeRef[]): Promise<void> => void sent.push(...refs);
  // What is missing when this looks is in no hands that it knows of.
  const split: Splitting = { ...SIZES, send, isBusy: async () => false };
  let batches = 0;
  for (;;) {
    batches += (await runStage(stage, { ...context, split })).batches;
    if (sent.length === 0) return batches;
    for (const ref of delivered(sent.splice(0), random)) {
      if ((await workRange(stage, context, ref)) === 'committed') batches += 1;
    }
  }
}

function delivered(refs: readonly RangeRef[], random: Random | null): readonly RangeRef[] {
  if (random === null) return refs;
  const copies = refs.flatMap((ref) => {
    if (random.chance(LOST_CHANCE)) return [];
    return random.chance(TWICE_CHANCE) ? [ref, ref] : [ref];
  });
  return random.shuffle(copies);
}

async function workRange(stage: Stage, context: StageContext, ref: RangeRef): Promise<RangeOutcome> {
  switch (stage) {
    case 'ingest':
      return ingestRange(context, ref);
    case 'transform':
      return transformRange(context, ref);
    case 'load':
      return loadRange(context, ref);
  }
}

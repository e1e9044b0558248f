/** A reproducible source of random choices. The same seed and labels give the same sequence on every machine. */
export interface Random {
  /** In [0, 1), with 32 random bits. */
  readonly unit: () => number;
  /** A whole number from `low` to `high`, both included. */
  readonly int: (low: number, high: number) => number;
  /** True with the given probability. */
  readonly chance: (probability: number) => boolean;
  /** One element of a list that is not empty. */
  readonly pick: <T>(list: readonly T[]) => T;
  /** One value, each with a probability in proportion to its weight. */
  readonly weighted: <T>(choices: readonly (readonly [value: T, weight: number])[]) => T;
  /** A copy in random order (Fisher and Yates). */
  readonly shuffle: <T>(list: readonly T[]) => T[];
  /** `length` characters drawn from an alphabet. */
  readonly text: (length: number, alphabet: string) => string;
}

/** FNV-1a, 32 bits: http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/**
 * sfc32, "small fast counting", by Chris Doty-Humphrey (PractRand): 128 bits of state, passes PractRand and BigCrush.
 * The first 12 results are thrown away, as the author does, so that seeds that are alike part company.
 */
function sfc32(seed: string): () => number {
  let a = fnv1a(seed, 0x811c9dc5);
  let b = fnv1a(seed, a);
  let c = fnv1a(seed, b);
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 12; i += 1) next();
  return next;
}

function at<T>(list: readonly T[], index: number): T {
  const element = list[index];
  if (element === undefined) throw new RangeError(`there is no element ${index} in a list of ${list.length}`);
  return element;
}

function shuffled<T>(list: readonly T[], int: Random['int']): T[] {
  const copy = [...list];
  for (let i = copy.length - 1; i > 0; i -= 1) {
    const j = int(0, i);
    [copy[i], copy[j]] = [at(copy, j), at(copy, i)];
  }
  return copy;
}

/** One stream of choices for a seed and whatever labels tell it from the other streams of that seed. */
export function randomFrom(seed: number, ...labels: readonly (string | number)[]): Random {
  const next = sfc32([seed, ...labels].join('/'));
  const unit = (): number => next() / 2 ** 32;
  const int: Random['int'] = (low, high) => low + Math.floor(unit() * (high - low + 1));
  const pick: Random['pick'] = (list) => at(list, int(0, list.length - 1));
  return {
    unit,
    int,
    pick,
    chance: (probability) => unit() < probability,
    weighted: (choices) => {
      let left = unit() * choices.reduce((sum, [, weight]) => sum + weight, 0);
      const chosen = choices.find(([, weight]) => (left -= weight) < 0);
      return (chosen ?? at(choices, choices.length - 1))[0];
    },
    shuffle: (list) => shuffled(list, int),
    text: (length, alphabet) => Array.from({ length }, () => alphabet.charAt(int(0, alphabet.length - 1))).join(''),
  };
}

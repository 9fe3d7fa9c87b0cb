/** Sets of Unicode code points, and their UTF-8. */

/** Code points from the first to the last one, inclusive. */
export type Range = readonly [from: number, to: number];
/** Ascending, without overlap; surrogates have no meaning, since texts are well-formed. */
export type Ranges = readonly Range[];
/** Ranges of the first byte of a UTF-8 sequence, of the second one, … */
export type ByteRanges = readonly Range[];

export const MAX_CODE_POINT = 0x10ffff;
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;
/** Last code points with a UTF-8 of 1, 2, 3 and 4 bytes. */
const LAST_OF_LENGTH = [0x7f, 0x7ff, 0xffff, MAX_CODE_POINT];
const CONTINUATION_BITS = 6;
const CONTINUATION_MASK = 0x3f;
const CONTINUATION = 0x80;
/** Leading bits of the first byte, by length. */
const LEADING = [0, 0, 0xc0, 0xe0, 0xf0];

/** Returns the union of sets, given in any order. */
export function union(ranges: readonly Range[]): Ranges {
  const merged: [number, number][] = [];
  for (const [from, to] of ranges.toSorted(([one], [other]) => one - other)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

/** Returns all code points that are not in a set. */
export function complement(ranges: Ranges): Ranges {
  const others: Range[] = [];
  let next = 0;
  for (const [from, to] of ranges) {
    if (from > next) others.push([next, from - 1]);
    next = to + 1;
  }
  if (next <= MAX_CODE_POINT) others.push([next, MAX_CODE_POINT]);
  return others;
}

/** Returns the UTF-8 sequences of a set: their bytes are independent of each other. */
export function utf8Of(ranges: Ranges): ByteRanges[] {
  return ranges.flatMap(([from, to]) => [
    ...sequences(from, Math.min(to, FIRST_SURROGATE - 1)),
    ...sequences(Math.max(from, LAST_SURROGATE + 1), to),
  ]);
}

/** Splits a range until all bytes after the first different one have all values. */
function sequences(from: number, to: number): ByteRanges[] {
  if (from > to) return [];
  for (const last of LAST_OF_LENGTH) {
    if (from <= last && last < to) return [...sequences(from, last), ...sequences(last + 1, to)];
  }
  const length = LAST_OF_LENGTH.findIndex((last) => to <= last) + 1;
  for (let bytes = 1; bytes < length; bytes++) {
    const low = 2 ** (bytes * CONTINUATION_BITS) - 1;
    if ((from & ~low) === (to & ~low)) continue;
    if ((from & low) !== 0) {
      return [...sequences(from, from | low), ...sequences((from | low) + 1, to)];
    }
    if ((to & low) !== low) {
      return [...sequences(from, (to & ~low) - 1), ...sequences(to & ~low, to)];
    }
  }
  const last = encoded(to, length);
  return [encoded(from, length).map((byte, index) => [byte, last[index]!] as const)];
}

function encoded(codePoint: number, length: number): number[] {
  if (length === 1) return [codePoint];
  const bytes: number[] = [];
  let rest = codePoint;
  for (let index = 1; index < length; index++) {
    bytes.unshift(CONTINUATION | (rest & CONTINUATION_MASK));
    rest >>= CONTINUATION_BITS;
  }
  return [LEADING[length]! | rest, ...bytes];
}

/** Sets of texts: lookups by murmur2. */
import {
  ENTRY_BYTES,
  ENTRY_HASH,
  ENTRY_TEXT,
  ENTRY_VALUE,
  ENTRY_WORDS,
  SET_MASK,
  SET_WORDS,
} from '../layout.ts';
import { ALL_LANES, LANES, maskOf } from './lanes.ts';
import { partAt, WORD, word } from './table.ts';

/** Value of texts that a set does not contain. */
export const NONE = -1;

const SEED: i32 = 0x9747b28c;
const M: i32 = 0x5bd1e995;
const R = 24;

/** Murmur2 as computed by Kafka's Java client; see ../../../accumulator/murmur2.ts. */
export function murmur2(start: i32, bytes: i32): i32 {
  let hash = SEED ^ bytes;
  const tail = start + (bytes & ~3);
  for (let at = start; at < tail; at += WORD) {
    const k = load<i32>(at) * M;
    hash = (hash * M) ^ ((k ^ (k >>> R)) * M);
  }
  const rest = bytes & 3;
  if (rest === 3) hash ^= (<i32>load<u8>(tail + 2)) << 16;
  if (rest >= 2) hash ^= (<i32>load<u8>(tail + 1)) << 8;
  if (rest >= 1) hash = (hash ^ <i32>load<u8>(tail)) * M;
  hash = (hash ^ (hash >>> 13)) * M;
  return hash ^ (hash >>> 15);
}

/** Returns the value of a text in the set at `set`, or NONE. */
export function find(set: i32, text: i32, bytes: i32): i32 {
  const mask = word(set, SET_MASK);
  const hash = murmur2(text, bytes);
  let place = hash & mask;
  while (true) {
    const entry = set + (SET_WORDS + place * ENTRY_WORDS) * WORD;
    const length = word(entry, ENTRY_BYTES);
    if (length < 0) return NONE;
    if (length === bytes && word(entry, ENTRY_HASH) === hash) {
      if (isSame(partAt(word(entry, ENTRY_TEXT)), text, bytes)) return word(entry, ENTRY_VALUE);
    }
    place = (place + 1) & mask;
  }
}

/** Whether two texts are equal. Behind both, memory that is not used must follow. */
function isSame(one: i32, other: i32, bytes: i32): bool {
  let left = bytes;
  let at = one;
  let otherAt = other;
  while (true) {
    const same = maskOf(i8x16.eq(v128.load(at), v128.load(otherAt)));
    if (left <= LANES) return (same | (-1 << left)) === -1;
    if (same !== ALL_LANES) return false;
    left -= LANES;
    at += LANES;
    otherAt += LANES;
  }
}

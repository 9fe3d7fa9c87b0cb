/** Rules for strings, applied to their texts without escapes. */
import {
  AUTOMATON_CLASSES,
  AUTOMATON_START,
  AUTOMATON_STATES,
  AUTOMATON_WORDS,
  STRING_AUTOMATA,
  STRING_MAX,
  STRING_MIN,
  STRING_TEXTS,
  STRING_WORDS,
} from '../layout.ts';
import { fill, LANES, maskOf } from './lanes.ts';
import { find, NONE } from './sets.ts';
import { partAt, WORD, word } from './table.ts';

const BYTE_VALUES = 256;
/** As signed numbers, bytes that continue a sequence of UTF-8 are less. */
const FIRST_BYTES = -64;

/** Whether the rule at `rule` accepts the `bytes` at `text`. */
export function acceptsText(rule: i32, text: i32, bytes: i32): bool {
  if (!hasLength(word(rule, STRING_MIN), word(rule, STRING_MAX), text, bytes)) return false;
  const texts = word(rule, STRING_TEXTS);
  if (texts !== 0 && find(partAt(texts), text, bytes) === NONE) return false;
  const automata = word(rule, STRING_AUTOMATA);
  for (let index = 0; index < automata; index++) {
    if (!matches(partAt(word(rule, STRING_WORDS + index)), text, bytes)) return false;
  }
  return true;
}

/** Whether a text has from `min` to `max` code points. */
function hasLength(min: i32, max: i32, text: i32, bytes: i32): bool {
  // A code point has one to four bytes.
  if (bytes >> 2 >= min && bytes <= max) return true;
  const length = codePoints(text, bytes);
  return length >= min && length <= max;
}

function codePoints(text: i32, bytes: i32): i32 {
  let count = bytes;
  for (let offset = 0; offset < bytes; offset += LANES) {
    const chunk = v128.load(text + offset);
    const continuing = maskOf(i8x16.lt_s(chunk, fill(FIRST_BYTES)));
    const left = bytes - offset;
    count -= popcnt(left < LANES ? continuing & ((1 << left) - 1) : continuing);
  }
  return count;
}

/** Whether the automaton accepts a text. */
function matches(automaton: i32, text: i32, bytes: i32): bool {
  const states = word(automaton, AUTOMATON_STATES);
  const classCount = word(automaton, AUTOMATON_CLASSES);
  const classes = automaton + AUTOMATON_WORDS * WORD;
  const accepting = classes + BYTE_VALUES;
  const transitions = accepting + ((states + WORD - 1) & -WORD);
  let state = word(automaton, AUTOMATON_START);
  const end = text + bytes;
  for (let at = text; at < end; at++) {
    const next = state * classCount + <i32>load<u8>(classes + load<u8>(at));
    state = load<u16>(transitions + (next << 1));
    if (state === 0) return false;
  }
  return load<u8>(accepting + state) === 1;
}

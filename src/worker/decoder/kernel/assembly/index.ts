/**
 * Kernel: decides events by their bytes, with SIMD. AssemblyScript, compiled to WebAssembly. It
 * agrees with ../table-validator.ts, which explains each decision; ../wasm-validator.ts calls it.
 *
 * The input must be UTF-8. Behind it follows PADDING, so that reading several bytes at once stays
 * inside the memory. A zero byte at its end stops every function: JSON contains none.
 */
import { RESULT_WORDS } from '../layout.ts';
import { RESULTS } from '../memory-map.ts';
import { anyEnd } from './any.ts';
import { CLOSE_BRACKET, COMMA, skipBlank } from './characters.ts';
import { countItems } from './count.ts';
import { eventEnd, setPosition } from './events.ts';
import { origin, setInput } from './input.ts';
import { selectTable, UNDECIDED, WORD } from './table.ts';

export { setInput };

/**
 * Decides the object at `start`; its result is the first one. Positions are offsets in the frame.
 * @param table its address
 * @param end nothing from here on is part of the object
 * @param maxDepth maximum nesting of arrays and objects, counting the object itself
 * @returns the offset after it; UNDECIDED = also if it is not JSON
 */
export function objectEnd(table: i32, start: i32, end: i32, maxDepth: i32): i32 {
  if (start >= end) return UNDECIDED;
  selectTable(table);
  const last = origin + end;
  const following = load<u8>(last);
  store<u8>(last, 0);
  const found = eventEnd(origin + start, RESULTS, maxDepth);
  store<u8>(last, following);
  return found === UNDECIDED ? UNDECIDED : found - origin;
}

/**
 * Decides the items of the array at `open`. Each has a result, undecided ones with profile -1.
 * @param end of the input, where the array must end, apart from white space
 * @param maxEvents up to RESULTS_MAX
 * @param maxEventBytes longer items are undecided
 * @returns their number; UNDECIDED = none, more than `maxEvents`, nested too deeply, or not JSON
 */
export function array(
  table: i32,
  open: i32,
  end: i32,
  maxEvents: i32,
  maxEventBytes: i32,
  maxDepth: i32,
): i32 {
  selectTable(table);
  const last = origin + end;
  store<u8>(last, 0);
  let events = 0;
  let at = origin + open;
  do {
    if (events === maxEvents) return UNDECIDED;
    const start = skipBlank(at + 1);
    const result = RESULTS + events * RESULT_WORDS * WORD;
    at = eventEnd(start, result, maxDepth);
    const isDecided = at !== UNDECIDED && at - start <= maxEventBytes;
    if (!isDecided) {
      if (at === UNDECIDED) at = anyEnd(start, maxDepth);
      if (at === UNDECIDED) return UNDECIDED;
      setPosition(result, start, at, -1);
    }
    events++;
    at = skipBlank(at);
  } while (load<u8>(at) === COMMA);
  if (load<u8>(at) !== CLOSE_BRACKET || skipBlank(at + 1) !== last) return UNDECIDED;
  return events;
}

/**
 * Returns the number of items of the array at `open`, without validating them; UNDECIDED = it does
 * not end at `end`, apart from white space.
 */
export function count(open: i32, end: i32): i32 {
  const last = origin + end;
  store<u8>(last, 0);
  return countItems(origin + open, last);
}

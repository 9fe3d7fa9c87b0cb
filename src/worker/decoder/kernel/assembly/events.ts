/** Decides single events: selects their profiles, and validates them. */
import {
  HEADER_ABSENT,
  HEADER_ROUTE,
  HEADER_ROUTES,
  HEADER_UNKNOWN,
  HEADER_WORDS,
  RESULT_END,
  RESULT_PROFILE,
  RESULT_START,
} from '../layout.ts';
import { beginEvent, routeEnd, routeStart } from './captures.ts';
import { OPEN_BRACE } from './characters.ts';
import { origin } from './input.ts';
import { find, NONE } from './sets.ts';
import { partAt, UNDECIDED, WORD, word } from './table.ts';
import { resetSets, valueEnd } from './values.ts';

/**
 * Returns the end of the object at `start` if a profile accepts it, otherwise UNDECIDED.
 * @param result address of its result
 */
export function eventEnd(start: i32, result: i32, maxDepth: i32): i32 {
  if (load<u8>(start) !== OPEN_BRACE) return UNDECIDED;
  const header = partAt(0);
  const route = word(header, HEADER_ROUTE);
  if (route === 0) return profileEnd(start, result, maxDepth, 0);
  beginEvent(result, true);
  resetSets();
  const end = valueEnd(start, partAt(route), maxDepth);
  const field = routeStart;
  if (field === 0 && end === UNDECIDED) return UNDECIDED;
  let profile = word(header, HEADER_ABSENT);
  if (field !== 0) {
    profile = find(partAt(word(header, HEADER_ROUTES)), field, routeEnd - field);
    if (profile === NONE) profile = word(header, HEADER_UNKNOWN);
  }
  const found = profileEnd(start, result, maxDepth, profile);
  // Both passes must locate the same field.
  return routeStart === field ? found : UNDECIDED;
}

/** Validates an event by a profile, or by none if the index is negative. */
function profileEnd(start: i32, result: i32, maxDepth: i32, profile: i32): i32 {
  if (profile < 0) return UNDECIDED;
  const node = word(partAt(0), HEADER_WORDS + profile);
  if (node === 0) return UNDECIDED;
  beginEvent(result, false);
  resetSets();
  const end = valueEnd(start, partAt(node), maxDepth);
  if (end !== UNDECIDED) setPosition(result, start, end, profile);
  return end;
}

/**
 * Writes position and profile into the result at `result`.
 * @param profile -1 = undecided
 */
export function setPosition(result: i32, start: i32, end: i32, profile: i32): void {
  store<i32>(result, start - origin, RESULT_START * WORD);
  store<i32>(result, end - origin, RESULT_END * WORD);
  store<i32>(result, profile, RESULT_PROFILE * WORD);
}

/** Fields of the record of the current event, written to its result; see ../layout.ts. */
import {
  ARRAY,
  FALSE,
  FRACTION,
  ID,
  INTEGER,
  KEY_0,
  KEY_PARTS_MAX,
  NULL,
  ON_PATH,
  RESULT_ID,
  RESULT_KEY,
  RESULT_KEY_HASH,
  RESULT_TIME,
  RESULT_TRACE,
  RESULT_WORDS,
  ROUTE,
  STRING,
  TIME_NUMBER,
  TIME_TEXT,
  TRACE,
  TRUE,
} from '../layout.ts';
import { origin } from './input.ts';
import { murmur2 } from './sets.ts';
import { WORD } from './table.ts';

const KEYS = (KEY_0 << KEY_PARTS_MAX) - KEY_0;
const SCALAR_KEYS = STRING | INTEGER | TRUE | FALSE;

let result: i32 = 0;
/** Fields that values of the event fill, whether captured or not. */
let seen: i32 = 0;
let stopsAtRoute: bool = false;
/** Range of the routing field; 0 = the event has none so far. */
export let routeStart: i32 = 0;
export let routeEnd: i32 = 0;

/**
 * Begins an event.
 * @param resultAddress of its result
 * @param isRouting stop at the routing field: `capture` returns false for it
 */
export function beginEvent(resultAddress: i32, isRouting: bool): void {
  result = resultAddress;
  seen = 0;
  stopsAtRoute = isRouting;
  routeStart = 0;
  routeEnd = 0;
  for (let index = RESULT_KEY; index < RESULT_WORDS; index += 2) {
    setWord(index + 1, -1);
  }
}

function setWord(index: i32, content: i32): void {
  store<i32>(result + index * WORD, content);
}

/**
 * Captures the fields that a value fills.
 * @param captures their bits; not 0
 * @param type of the value
 * @param start, @param end its range, of a string without the quotes
 * @param isExact a string without escapes, or an integer that is written as its key
 * @returns false = the event is undecided
 */
export function capture(captures: i32, type: i32, start: i32, end: i32, isExact: bool): bool {
  if ((captures & ON_PATH) !== 0 && (type & (ARRAY | NULL)) !== 0) return false;
  const fields = captures & ~ON_PATH;
  // Of duplicates, JSON.parse uses the last one.
  if ((seen & fields) !== 0) return false;
  seen |= fields;
  if ((fields & KEYS) !== 0) {
    if ((type & SCALAR_KEYS) === 0 || !isExact) return false;
    captureKeys(fields, start, end);
  }
  if ((fields & (ID | TRACE | TIME_TEXT)) !== 0 && type === STRING) {
    if (!isExact) return false;
    if ((fields & ID) !== 0) setRange(RESULT_ID, start, end);
    if ((fields & TRACE) !== 0) setRange(RESULT_TRACE, start, end);
    if ((fields & TIME_TEXT) !== 0) setRange(RESULT_TIME, start, end);
  }
  if ((fields & TIME_NUMBER) !== 0 && (type & (INTEGER | FRACTION)) !== 0) {
    if (type !== INTEGER || !isExact) return false;
    setRange(RESULT_TIME, start, end);
  }
  if ((fields & ROUTE) === 0) return true;
  if (type !== STRING || !isExact) return false;
  routeStart = start;
  routeEnd = end;
  return !stopsAtRoute;
}

function captureKeys(fields: i32, start: i32, end: i32): void {
  for (let part = 0; part < KEY_PARTS_MAX; part++) {
    if ((fields & (KEY_0 << part)) !== 0) setRange(RESULT_KEY + 2 * part, start, end);
  }
  if ((fields & KEY_0) !== 0) setWord(RESULT_KEY_HASH, murmur2(start, end - start));
}

function setRange(index: i32, start: i32, end: i32): void {
  setWord(index, start - origin);
  setWord(index + 1, end - start);
}

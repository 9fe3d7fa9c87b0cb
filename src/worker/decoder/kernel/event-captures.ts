/** Fields of the record of the current event; see layout.ts. */
import { murmur2 } from '../../accumulator/murmur2.ts';
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
  ROUTE,
  STRING,
  TIME_NUMBER,
  TIME_TEXT,
  TRACE,
  TRUE,
} from './layout.ts';

const KEY_BITS = (KEY_0 << KEY_PARTS_MAX) - KEY_0;
const SCALAR_KEYS = STRING | INTEGER | TRUE | FALSE;
/** Fields that are texts, and their results. */
const TEXTS = [
  [ID, RESULT_ID],
  [TRACE, RESULT_TRACE],
  [TIME_TEXT, RESULT_TIME],
] as const;

export class EventCaptures {
  readonly #bytes: () => Uint8Array;
  readonly #result: Int32Array;
  #seen = 0;
  routeStart = 0;
  routeEnd = 0;

  /**
   * @param bytes of the current frame
   * @param result of the current event
   */
  constructor(bytes: () => Uint8Array, result: Int32Array) {
    this.#bytes = bytes;
    this.#result = result;
  }

  begin(): void {
    this.#seen = 0;
    const end = RESULT_TRACE + 2;
    for (let word = RESULT_KEY; word < end; word += 2) this.#result[word + 1] = -1;
  }

  get hasRoute(): boolean {
    return (this.#seen & ROUTE) !== 0;
  }

  /**
   * Captures a value of one type.
   * @param captures bits of the fields that it fills
   * @param start, @param end its range, of a string without the quotes
   * @param isExact a string without escapes, or an integer that is written as its key
   * @returns false = it is undecided
   */
  add(captures: number, type: number, start: number, end: number, isExact: boolean): boolean {
    if (captures & ON_PATH && type & (ARRAY | NULL)) return false;
    const fields = captures & ~ON_PATH;
    // Of duplicates, JSON.parse uses the last one.
    if (this.#seen & fields) return false;
    this.#seen |= fields;
    const text = type === STRING;
    if (fields & KEY_BITS && !(type & SCALAR_KEYS && isExact)) return false;
    for (let part = 0; part < KEY_PARTS_MAX; part++) {
      if (fields & (KEY_0 << part)) this.#set(RESULT_KEY + 2 * part, start, end);
    }
    if (fields & KEY_0) {
      this.#result[RESULT_KEY_HASH] = murmur2(this.#bytes(), start, end - start);
    }
    for (const [field, word] of TEXTS) {
      if ((fields & field) === 0 || !text) continue;
      if (!isExact) return false;
      this.#set(word, start, end);
    }
    if (fields & TIME_NUMBER && type & (INTEGER | FRACTION)) {
      if (!(type & INTEGER && isExact)) return false;
      this.#set(RESULT_TIME, start, end);
    }
    if (fields & ROUTE) {
      if (!text || !isExact) return false;
      this.routeStart = start;
      this.routeEnd = end;
    }
    return true;
  }

  #set(word: number, start: number, end: number): void {
    this.#result[word] = start;
    this.#result[word + 1] = end - start;
  }
}

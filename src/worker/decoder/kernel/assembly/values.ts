/** Decides values by the nodes of a table. Positions are addresses of bytes. */
import {
  ALL_TYPES,
  ARRAY,
  ARRAY_ITEMS,
  ARRAY_MAX,
  ARRAY_MIN,
  ARRAY_PREFIX,
  ARRAY_UNIQUE,
  ARRAY_WORDS,
  FALSE,
  FRACTION,
  INTEGER,
  NODE_ARRAY,
  NODE_CAPTURES,
  NODE_NUMBER,
  NODE_OBJECT,
  NODE_STRING,
  NODE_TYPES,
  NULL,
  OBJECT,
  OBJECT_MAX,
  OBJECT_MIN,
  OBJECT_NAMES,
  OBJECT_OTHERS,
  OBJECT_SET_WORDS,
  OBJECT_WORDS,
  STRING,
  TRUE,
} from '../layout.ts';
import { SETS, SETS_END } from '../memory-map.ts';
import { anyEnd, literalEnd } from './any.ts';
import { capture } from './captures.ts';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COLON,
  COMMA,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  SMALL_F,
  SMALL_N,
  SMALL_T,
  skipBlank,
  ZERO,
} from './characters.ts';
import { acceptsValue, isBounded, isExact, isInteger, readNumber, value } from './doubles.ts';
import { scratch } from './input.ts';
import { integerEnd, isFraction, numberEnd } from './numbers.ts';
import { find, NONE } from './sets.ts';
import { plainEnd, stringEnd, writeText } from './strings.ts';
import { partAt, UNDECIDED, WORD, word } from './table.ts';
import { acceptsText } from './texts.ts';

/** Digits of integers that are all exact doubles. */
const EXACT_DIGITS = 15;
const NUMBER = INTEGER | FRACTION;

/** Address of the set of seen properties of the next object. */
let nextSet: i32 = SETS;

/** Begins an event: no object is open. */
export function resetSets(): void {
  nextSet = SETS;
}

/**
 * Returns the end of the value at `start` if the node accepts it, otherwise UNDECIDED.
 * @param depth maximum nesting of arrays and objects
 */
export function valueEnd(start: i32, node: i32, depth: i32): i32 {
  if (acceptsAny(node)) return anyEnd(start, depth);
  const types = word(node, NODE_TYPES);
  const captures = word(node, NODE_CAPTURES);
  switch (<i32>load<u8>(start)) {
    case QUOTE:
      return stringValueEnd(start, types, captures, word(node, NODE_STRING));
    case OPEN_BRACE: {
      if (depth < 1 || !fits(types, captures, OBJECT, start, start, false)) return UNDECIDED;
      const rule = word(node, NODE_OBJECT);
      return rule === 0 ? anyEnd(start, depth) : objectEnd(start, partAt(rule), depth - 1);
    }
    case OPEN_BRACKET: {
      if (depth < 1 || !fits(types, captures, ARRAY, start, start, false)) return UNDECIDED;
      const rule = word(node, NODE_ARRAY);
      return rule === 0 ? anyEnd(start, depth) : arrayEnd(start, partAt(rule), depth - 1);
    }
    case SMALL_T:
      return literalValueEnd(start, types, captures, TRUE);
    case SMALL_F:
      return literalValueEnd(start, types, captures, FALSE);
    case SMALL_N:
      return literalValueEnd(start, types, captures, NULL);
    default:
      return numberValueEnd(start, types, captures, word(node, NODE_NUMBER));
  }
}

/**
 * Whether a value has one of `types`, and its fields of the record can be captured; see `capture`.
 */
function fits(types: i32, captures: i32, type: i32, start: i32, end: i32, isExact: bool): bool {
  if ((types & type) === 0) return false;
  return captures === 0 || capture(captures, type, start, end, isExact);
}

/** Whether a node accepts every value, and captures nothing. */
function acceptsAny(node: i32): bool {
  if (word(node, NODE_TYPES) !== ALL_TYPES || word(node, NODE_CAPTURES) !== 0) return false;
  return !v128.any_true(v128.load(node + NODE_OBJECT * WORD));
}

/** @param depth maximum nesting of its values */
function objectEnd(open: i32, rule: i32, depth: i32): i32 {
  const setWords = word(rule, OBJECT_SET_WORDS);
  const seen = nextSet;
  nextSet = seen + setWords * WORD;
  if (nextSet > SETS_END) return UNDECIDED;
  for (let set = seen; set < nextSet; set += WORD) store<i32>(set, 0);
  let members = 0;
  let named = 0;
  let at = skipBlank(open + 1);
  if (load<u8>(at) !== CLOSE_BRACE) {
    at--;
    do {
      at = skipBlank(at + 1);
      if (load<u8>(at) !== QUOTE) return UNDECIDED;
      let text = at + 1;
      at = plainEnd(text);
      let bytes = at - text;
      if (load<u8>(at) !== QUOTE) {
        at = stringEnd(text - 1) - 1;
        if (at < 0) return UNDECIDED;
        bytes = writeText(text, at);
        if (bytes === UNDECIDED) return UNDECIDED;
        text = scratch;
      }
      const index = find(partAt(word(rule, OBJECT_NAMES)), text, bytes);
      let node = word(rule, OBJECT_OTHERS);
      if (index !== NONE) {
        if (!addToSet(seen, index)) return UNDECIDED;
        named++;
        node = word(rule, OBJECT_WORDS + setWords + index);
      }
      at = skipBlank(at + 1);
      if (node === 0 || load<u8>(at) !== COLON) return UNDECIDED;
      at = valueEnd(skipBlank(at + 1), partAt(node), depth);
      if (at === UNDECIDED) return UNDECIDED;
      members++;
      at = skipBlank(at);
    } while (load<u8>(at) === COMMA);
    if (load<u8>(at) !== CLOSE_BRACE) return UNDECIDED;
  }
  nextSet = seen;
  if (!containsSet(seen, rule + OBJECT_WORDS * WORD, setWords)) return UNDECIDED;
  if (named < word(rule, OBJECT_MIN) || members > word(rule, OBJECT_MAX)) return UNDECIDED;
  return at + 1;
}

/** Adds an index to a set. @returns false = it contains the index */
function addToSet(set: i32, index: i32): bool {
  const address = set + (index >> 5) * WORD;
  const bit = 1 << (index & 31);
  const bits = load<i32>(address);
  if ((bits & bit) !== 0) return false;
  store<i32>(address, bits | bit);
  return true;
}

/** Whether a set contains all indexes of another one. */
function containsSet(set: i32, subset: i32, words: i32): bool {
  for (let index = 0; index < words; index++) {
    if ((word(subset, index) & ~word(set, index)) !== 0) return false;
  }
  return true;
}

/** @param depth maximum nesting of its items */
function arrayEnd(open: i32, rule: i32, depth: i32): i32 {
  const prefix = word(rule, ARRAY_PREFIX);
  let items = 0;
  let at = skipBlank(open + 1);
  if (load<u8>(at) !== CLOSE_BRACKET) {
    at--;
    do {
      const node = word(rule, items < prefix ? ARRAY_WORDS + items : ARRAY_ITEMS);
      if (node === 0) return UNDECIDED;
      at = valueEnd(skipBlank(at + 1), partAt(node), depth);
      if (at === UNDECIDED) return UNDECIDED;
      items++;
      at = skipBlank(at);
    } while (load<u8>(at) === COMMA);
    if (load<u8>(at) !== CLOSE_BRACKET) return UNDECIDED;
  }
  if (items < word(rule, ARRAY_MIN) || items > word(rule, ARRAY_MAX)) return UNDECIDED;
  return items > 1 && word(rule, ARRAY_UNIQUE) === 1 ? UNDECIDED : at + 1;
}

/** @param rule 0 = any text */
function stringValueEnd(start: i32, types: i32, captures: i32, rule: i32): i32 {
  let text = start + 1;
  const plain = plainEnd(text);
  if (load<u8>(plain) === QUOTE) {
    if (!fits(types, captures, STRING, text, plain, true)) return UNDECIDED;
    return rule === 0 || acceptsText(partAt(rule), text, plain - text) ? plain + 1 : UNDECIDED;
  }
  const end = stringEnd(start);
  if (end === UNDECIDED) return UNDECIDED;
  if (!fits(types, captures, STRING, text, end - 1, false)) return UNDECIDED;
  if (rule === 0 && captures === 0) return end;
  const bytes = writeText(text, end - 1);
  if (bytes === UNDECIDED) return UNDECIDED;
  text = scratch;
  return rule === 0 || acceptsText(partAt(rule), text, bytes) ? end : UNDECIDED;
}

function literalValueEnd(start: i32, types: i32, captures: i32, type: i32): i32 {
  const end = literalEnd(start);
  if (end === UNDECIDED) return UNDECIDED;
  return fits(types, captures, type, start, end, true) ? end : UNDECIDED;
}

/** @param rule 0 = any number */
function numberValueEnd(start: i32, types: i32, captures: i32, rule: i32): i32 {
  const isUnlimited = captures === 0 && rule === 0;
  if (isUnlimited) {
    if (types === ALL_TYPES) return numberEnd(start);
    const end = integerEnd(start);
    if (end - start <= EXACT_DIGITS && end !== UNDECIDED && !isFraction(end)) {
      return (types & INTEGER) !== 0 ? end : UNDECIDED;
    }
  }
  const end = readNumber(start);
  if (end === UNDECIDED) return UNDECIDED;
  if (!isExact) {
    const isAccepted = (types & NUMBER) === NUMBER || (isInteger && (types & INTEGER) !== 0);
    return isAccepted && isUnlimited && isBounded ? end : UNDECIDED;
  }
  const type = trunc(value) === value ? INTEGER : FRACTION;
  if ((types & type) === 0) return UNDECIDED;
  if (captures !== 0) {
    const isMinusZero = load<u8>(start) === MINUS && load<u8>(start + 1) === ZERO;
    if (!capture(captures, type, start, end, isInteger && !isMinusZero)) return UNDECIDED;
  }
  return rule === 0 || acceptsValue(partAt(rule)) ? end : UNDECIDED;
}

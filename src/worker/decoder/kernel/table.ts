/** Writes plans as a table; see layout.ts. */
import assert from 'node:assert/strict';
import { murmur2 } from '../../accumulator/murmur2.ts';
import {
  ARRAY_WORDS,
  AUTOMATON_WORDS,
  ENTRY_BYTES,
  ENTRY_HASH,
  ENTRY_TEXT,
  ENTRY_VALUE,
  ENTRY_WORDS,
  HAS_MAX,
  HAS_MIN,
  HAS_MULTIPLE,
  HEADER_ABSENT,
  HEADER_ROUTE,
  HEADER_ROUTES,
  HEADER_UNKNOWN,
  HEADER_WORDS,
  MAX_IS_EXCLUSIVE,
  MIN_IS_EXCLUSIVE,
  NO_PROFILE,
  NODE_ARRAY,
  NODE_CAPTURES,
  NODE_NUMBER,
  NODE_OBJECT,
  NODE_STRING,
  NODE_TYPES,
  NODE_WORDS,
  NUMBER_FLAGS,
  NUMBER_MAX,
  NUMBER_MIN,
  NUMBER_MULTIPLE,
  NUMBER_VALUES,
  NUMBER_WORDS,
  OBJECT_WORDS,
  PROPERTIES_MAX,
  SET_MASK,
  SET_WORDS,
  STRING_WORDS,
} from './layout.ts';
import type {
  ArrayPlan,
  Automaton,
  NumberPlan,
  ObjectPlan,
  Profile,
  RoutingPlan,
  StringPlan,
  ValuePlan,
} from './plan.ts';

const WORD = 4;
const DOUBLE_WORDS = 2;
const BITS = 32;
/** No limit of a count or a length. */
const UNLIMITED = 0x7fffffff;
/** Places of a set per text, at least: probes stay short. */
const PLACES_PER_TEXT = 2;
const EMPTY = -1;

/**
 * Returns the table of the profiles.
 * @param profiles one per destination; undefined = its events are undecided
 * @param routing undefined = all events have the first profile
 */
export function buildTable(
  profiles: readonly (Profile | undefined)[],
  routing?: RoutingPlan,
): Buffer {
  const table = new TableWriter();
  const header = table.allocate(HEADER_WORDS + profiles.length);
  table.set(header, HEADER_ROUTE, routing === undefined ? 0 : table.node(routing.event));
  table.set(header, HEADER_ROUTES, routing === undefined ? 0 : table.texts(routing.values));
  table.set(header, HEADER_ABSENT, routing?.absent ?? NO_PROFILE);
  table.set(header, HEADER_UNKNOWN, routing?.unknown ?? NO_PROFILE);
  for (const [index, profile] of profiles.entries()) {
    if (profile !== undefined) table.set(header, HEADER_WORDS + index, table.node(profile));
  }
  return table.finish();
}

/** Parts of a table that grows; each is written once, however often plans contain it. */
class TableWriter {
  #bytes = Buffer.alloc(1024);
  #length = 0;
  readonly #nodes = new Map<ValuePlan, number>();
  readonly #automata = new Map<Automaton, number>();

  /** Returns the offset of a new part: `words`, all 0, then `bytes`. */
  allocate(words: number, bytes = 0): number {
    const start = this.#length;
    this.#length += (words + Math.ceil(bytes / WORD)) * WORD;
    if (this.#length > this.#bytes.length) {
      const larger = Buffer.alloc(2 * this.#length);
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    return start;
  }

  /** Writes a word of the part at `offset`. */
  set(offset: number, word: number, value: number): void {
    this.#bytes.writeInt32LE(value | 0, offset + word * WORD);
  }

  #setDouble(offset: number, word: number, value: number): void {
    this.#bytes.writeDoubleLE(value, offset + word * WORD);
  }

  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  /** Returns the offset of the node of a plan. */
  node(plan: ValuePlan): number {
    const known = this.#nodes.get(plan);
    if (known !== undefined) return known;
    const offset = this.allocate(NODE_WORDS);
    // Before its parts: they may contain the plan.
    this.#nodes.set(plan, offset);
    const { types, captures, object, array, string, number } = plan;
    this.set(offset, NODE_TYPES, types);
    this.set(offset, NODE_CAPTURES, captures);
    if (object !== undefined) this.set(offset, NODE_OBJECT, this.#object(object));
    if (array !== undefined) this.set(offset, NODE_ARRAY, this.#array(array));
    if (string !== undefined) this.set(offset, NODE_STRING, this.#string(string));
    if (number !== undefined) this.set(offset, NODE_NUMBER, this.#number(number));
    return offset;
  }

  #object({ properties, required, others, min = 0, max = UNLIMITED }: ObjectPlan): number {
    const names = [...properties.keys()];
    assert(names.length <= PROPERTIES_MAX, 'the planner bounds the properties');
    const setWords = Math.ceil(names.length / BITS);
    const offset = this.allocate(OBJECT_WORDS + setWords + names.length);
    const set = this.texts(new Map(names.map((name, index) => [name, index])));
    const head = [set, others === undefined ? 0 : this.node(others), setWords, min, max];
    for (const [word, value] of head.entries()) this.set(offset, word, value);
    const needed = new Int32Array(setWords);
    for (const name of required) {
      const index = names.indexOf(name);
      assert(index !== -1, 'required properties are named');
      needed[index >> 5]! |= 1 << (index & 31);
    }
    for (const [word, bits] of needed.entries()) this.set(offset, OBJECT_WORDS + word, bits);
    for (const [index, plan] of [...properties.values()].entries()) {
      this.set(offset, OBJECT_WORDS + setWords + index, this.node(plan));
    }
    return offset;
  }

  #array({ prefix, items, min = 0, max = UNLIMITED, unique = false }: ArrayPlan): number {
    const offset = this.allocate(ARRAY_WORDS + prefix.length);
    const others = items === undefined ? 0 : this.node(items);
    const head = [others, min, max, unique ? 1 : 0, prefix.length];
    for (const [word, value] of head.entries()) this.set(offset, word, value);
    for (const [index, plan] of prefix.entries()) {
      this.set(offset, ARRAY_WORDS + index, this.node(plan));
    }
    return offset;
  }

  #string({ min = 0, max = UNLIMITED, texts, automata = [] }: StringPlan): number {
    const offset = this.allocate(STRING_WORDS + automata.length);
    const accepted = texts?.filter((text) => Buffer.from(text).toString() === text);
    const set = accepted === undefined ? 0 : this.texts(new Map(accepted.map((one) => [one, 0])));
    const head = [min, max, set, automata.length];
    for (const [word, value] of head.entries()) this.set(offset, word, value);
    for (const [index, one] of automata.entries()) {
      this.set(offset, STRING_WORDS + index, this.#automaton(one));
    }
    return offset;
  }

  #number({ min, max, multipleOf, values = [] }: NumberPlan): number {
    const offset = this.allocate(NUMBER_WORDS + values.length * DOUBLE_WORDS);
    const flags =
      (min === undefined ? 0 : HAS_MIN) |
      (min?.isExclusive ? MIN_IS_EXCLUSIVE : 0) |
      (max === undefined ? 0 : HAS_MAX) |
      (max?.isExclusive ? MAX_IS_EXCLUSIVE : 0) |
      (multipleOf === undefined ? 0 : HAS_MULTIPLE);
    this.set(offset, NUMBER_FLAGS, flags);
    this.set(offset, NUMBER_VALUES, values.length);
    this.#setDouble(offset, NUMBER_MIN, min?.value ?? 0);
    this.#setDouble(offset, NUMBER_MAX, max?.value ?? 0);
    this.#setDouble(offset, NUMBER_MULTIPLE, multipleOf ?? 0);
    const ascending = values.toSorted((one, other) => one - other);
    for (const [index, value] of ascending.entries()) {
      this.#setDouble(offset, NUMBER_WORDS + index * DOUBLE_WORDS, value);
    }
    return offset;
  }

  #automaton(automaton: Automaton): number {
    const known = this.#automata.get(automaton);
    if (known !== undefined) return known;
    const { start, classes, classCount, accepting, transitions } = automaton;
    const states = accepting.length;
    const stateBytes = Math.ceil(states / WORD) * WORD;
    const transitionBytes = transitions.length * Uint16Array.BYTES_PER_ELEMENT;
    const bytes = classes.length + stateBytes + transitionBytes;
    const offset = this.allocate(AUTOMATON_WORDS, bytes);
    for (const [word, value] of [start, states, classCount].entries()) {
      this.set(offset, word, value);
    }
    const at = offset + AUTOMATON_WORDS * WORD;
    this.#bytes.set(classes, at);
    this.#bytes.set(accepting, at + classes.length);
    for (const [index, next] of transitions.entries()) {
      const first = at + classes.length + stateBytes;
      this.#bytes.writeUInt16LE(next, first + index * Uint16Array.BYTES_PER_ELEMENT);
    }
    this.#automata.set(automaton, offset);
    return offset;
  }

  /** Returns the offset of the set of the keys, with their values. */
  texts(values: ReadonlyMap<string, number>): number {
    let places = 1;
    while (places < PLACES_PER_TEXT * values.size) places *= 2;
    const offset = this.allocate(SET_WORDS + places * ENTRY_WORDS);
    this.set(offset, SET_MASK, places - 1);
    const entry = (place: number) => SET_WORDS + place * ENTRY_WORDS;
    for (let place = 0; place < places; place++) {
      this.set(offset, entry(place) + ENTRY_BYTES, EMPTY);
    }
    const taken = new Set<number>();
    for (const [text, value] of values) {
      const bytes = Buffer.from(text);
      const hash = murmur2(bytes, 0, bytes.length);
      let place = hash & (places - 1);
      while (taken.has(place)) place = (place + 1) & (places - 1);
      taken.add(place);
      const at = this.allocate(0, bytes.length);
      this.#bytes.set(bytes, at);
      this.set(offset, entry(place) + ENTRY_HASH, hash);
      this.set(offset, entry(place) + ENTRY_TEXT, at);
      this.set(offset, entry(place) + ENTRY_BYTES, bytes.length);
      this.set(offset, entry(place) + ENTRY_VALUE, value);
    }
    return offset;
  }
}

/** Generated plans, and texts that they accept, or nearly. */
import fc from 'fast-check';
import {
  ALL_TYPES,
  ARRAY,
  FRACTION,
  ID,
  INTEGER,
  KEY_0,
  NULL,
  OBJECT,
  ON_PATH,
  ROUTE,
  STRING,
  TIME_NUMBER,
  TIME_TEXT,
  TRACE,
  TRUE,
} from '../../../../src/worker/decoder/kernel/layout.ts';
import {
  ANY,
  type ArrayPlan,
  type Automaton,
  type NumberPlan,
  type ObjectPlan,
  type Profile,
  type RoutingPlan,
  type StringPlan,
  type ValuePlan,
} from '../../../../src/worker/decoder/kernel/plan.ts';
import { jsonText } from '../json-text.ts';

/** Pseudo-random choices; the same ones for each seed. */
export class Draw {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** Returns an integer from 0 to `max`. */
  upTo(max: number): number {
    // The steps of splitmix32.
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) % (max + 1);
  }

  /** Returns true in `percent` of 100 cases. */
  chance(percent: number): boolean {
    return this.upTo(99) < percent;
  }

  oneOf<T>(values: readonly T[]): T {
    return values[this.upTo(values.length - 1)]!;
  }

  someOf<T>(values: readonly T[]): T[] {
    return values.filter(() => this.chance(50));
  }
}

const LONG_NAME = 'a name that is longer than one chunk';
const NAMES = ['a', 'b', 'id', 'ключ', 'q"\\', 'sixteen  letters', LONG_NAME, `${LONG_NAME}s`, ''];
const TEXTS = ['', 'x', 'text', 'ключ', '😀', 'line\nfeed', '0123456789abcdef', 'a'.repeat(40)];
export const FIELDS = [KEY_0, KEY_0 << 1, ID, TRACE, TIME_NUMBER, TIME_TEXT, ON_PATH, KEY_0 | ID];
export const NUMBERS = [
  ...['0', '-0', '-0.0', '1', '-7', '12', '0.5', '-2.25', '1e2', '1E-2', '1.0', '100e-2', '0.1'],
  ...['999999999999999', '9007199254740991', '9007199254740992', '1234567890123456789', '0e0'],
  ...['1e22', '1e23', '1e-22', '1e-23', '1e300', '1e301', '1e400', '123e298', '0.0000001', '0e999'],
  ...[
    '9'.repeat(40),
    '9'.repeat(300),
    '9'.repeat(301),
    `0.${'3'.repeat(20)}`,
    '0.30000000000000004',
  ],
];
export const BROKEN_NUMBERS = ['01', '-', '1.', '.5', '1e', '1e+', '+1', '0x1', '-a', 'NaN', '00'];
const LITERALS = ['true', 'false', 'null'];
const DEPTH = 3;

const ANY_VALUES = fc.sample(jsonText(), { numRuns: 200, seed: 1 });
const BLANKS = fc.sample(jsonText.blank(), { numRuns: 20, seed: 1 });

/** An automaton over three classes of bytes; state 0 is a dead end. */
function automaton(draw: Draw): Automaton {
  const [states, classCount] = [4, 3];
  const state = () => draw.upTo(states - 1);
  const transitions = Uint16Array.from({ length: states * classCount }, (_, index) =>
    index < classCount ? 0 : state(),
  );
  const classes = Uint8Array.from({ length: 256 }, (_, byte) => (byte * 7) % classCount);
  const accepting = Uint8Array.from({ length: states }, (_, index) =>
    index > 0 && draw.chance(70) ? 1 : 0,
  );
  return { start: 1 + draw.upTo(states - 2), classes, classCount, accepting, transitions };
}

function stringPlan(draw: Draw): StringPlan {
  return {
    min: draw.chance(10) ? draw.upTo(4) : undefined,
    max: draw.chance(10) ? draw.upTo(40) : undefined,
    texts: draw.chance(20) ? draw.someOf(TEXTS) : undefined,
    automata: draw.chance(20) ? [automaton(draw), automaton(draw)] : undefined,
  };
}

function numberPlan(draw: Draw): NumberPlan {
  const bound = () => ({
    value: draw.oneOf([-7, 0, 0.1, 1, 100, 1e15]),
    isExclusive: draw.chance(50),
  });
  return {
    min: draw.chance(20) ? bound() : undefined,
    max: draw.chance(20) ? bound() : undefined,
    multipleOf: draw.chance(20) ? draw.oneOf([1, 2, 0.5, 0.01, 3]) : undefined,
    values: draw.chance(10) ? [0, 1, 12, 0.1, 100] : undefined,
  };
}

function objectPlan(draw: Draw, depth: number): ObjectPlan {
  const names = draw.someOf(NAMES);
  return {
    properties: new Map(names.map((name) => [name, valuePlan(draw, depth - 1)])),
    required: new Set(draw.chance(50) ? names.slice(0, 2) : []),
    others: draw.chance(70) ? ANY : draw.chance(70) ? valuePlan(draw, depth - 1) : undefined,
    min: draw.chance(8) ? draw.upTo(2) : undefined,
    max: draw.chance(8) ? draw.upTo(6) : undefined,
  };
}

function arrayPlan(draw: Draw, depth: number): ArrayPlan {
  return {
    prefix: draw.chance(30) ? [valuePlan(draw, depth - 1), valuePlan(draw, depth - 1)] : [],
    items: draw.chance(80) ? valuePlan(draw, depth - 1) : undefined,
    min: draw.chance(8) ? draw.upTo(2) : undefined,
    max: draw.chance(8) ? draw.upTo(2) : undefined,
    unique: draw.chance(10),
  };
}

function valuePlan(draw: Draw, depth: number): ValuePlan {
  if (draw.chance(20)) return ANY;
  const scalars = [STRING, INTEGER, FRACTION | INTEGER, TRUE, NULL, STRING | NULL];
  const kinds = depth > 0 ? [...scalars, OBJECT, ARRAY, ALL_TYPES] : scalars;
  const types = draw.chance(10) ? draw.upTo(ALL_TYPES) : draw.oneOf(kinds);
  return {
    types,
    captures: draw.chance(10) ? draw.oneOf(FIELDS) : 0,
    object: types & OBJECT && depth > 0 ? objectPlan(draw, depth) : undefined,
    array: types & ARRAY && draw.chance(80) && depth > 0 ? arrayPlan(draw, depth) : undefined,
    string: draw.chance(40) ? stringPlan(draw) : undefined,
    number: draw.chance(40) ? numberPlan(draw) : undefined,
  };
}

/** Name of the routing field, which is in the object of this name. */
const PATH = ['m', 'r'] as const;
const ROUTES = ['one', 'two', 'none', 'ключ'];

/** An object with these properties among others. */
const objectOf = (captures: number, name: string, value: ValuePlan): ValuePlan => ({
  types: captures === 0 ? OBJECT : ALL_TYPES,
  captures,
  object: { properties: new Map([[name, value]]), required: new Set(), others: ANY },
});

/** A plan of events, with the routing field if any. */
function eventPlan(draw: Draw, field: ValuePlan | undefined): ValuePlan {
  const object = objectPlan(draw, DEPTH);
  const properties = new Map(object.properties);
  if (field !== undefined) properties.set(PATH[0], field);
  return { types: OBJECT, captures: 0, object: { ...object, properties } };
}

export interface Plans {
  readonly profiles: readonly (Profile | undefined)[];
  readonly routing: RoutingPlan | undefined;
}

/** Profiles, with or without routing. */
export function plans(draw: Draw): Plans {
  if (draw.chance(70)) {
    return { profiles: [eventPlan(draw, undefined)], routing: undefined };
  }
  const route: ValuePlan = { types: ALL_TYPES, captures: ROUTE };
  const field = objectOf(ON_PATH, PATH[1], route);
  const profiles = [0, 1].map(() => eventPlan(draw, field));
  const index = () => (draw.chance(50) ? draw.upTo(2) : undefined);
  const routing: RoutingPlan = {
    event: objectOf(0, PATH[0], field),
    values: new Map(ROUTES.slice(0, 3).map((text, place) => [text, place])),
    absent: index(),
    unknown: index(),
  };
  return { profiles: [...profiles, undefined], routing };
}

/** Writes a text as JSON, with or without escapes. */
function quoted(draw: Draw, text: string): string {
  if (!draw.chance(10)) return JSON.stringify(text);
  const escapes = [...text].map((character) => {
    const units = character.split('');
    return draw.chance(50)
      ? JSON.stringify(character).slice(1, -1)
      : units.map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
  });
  return `"${escapes.join('')}"`;
}

const blank = (draw: Draw) => (draw.chance(80) ? '' : draw.oneOf(BLANKS));

function stringText(draw: Draw, { texts }: StringPlan): string {
  if (draw.chance(1)) return draw.oneOf(['"\\ud83d"', '"\\udc00x"', '"\\ud83d\\u0041"', '"\t"']);
  return quoted(draw, draw.oneOf(texts !== undefined && texts.length > 0 ? texts : TEXTS));
}

function objectText(draw: Draw, { properties, required }: ObjectPlan, depth: number): string {
  const members: string[] = [];
  for (const [name, plan] of properties) {
    if (!draw.chance(required.has(name) ? 98 : 60)) continue;
    const pads = [blank(draw), blank(draw)];
    const value = valueText(draw, plan, depth - 1);
    members.push(`${pads[0]}${quoted(draw, name)}${pads[1]}:${pads[0]}${value}${pads[1]}`);
  }
  if (draw.chance(20)) members.push(`"other":${valueText(draw, ANY, depth - 1)}`);
  if (draw.chance(3) && members.length > 0) members.push(members[0]!);
  return `{${members.join(',')}${blank(draw)}}`;
}

function arrayText(draw: Draw, { prefix, items = ANY }: ArrayPlan, depth: number): string {
  const values = Array.from({ length: draw.upTo(3) }, (_, index) =>
    valueText(draw, prefix[index] ?? items, depth - 1),
  );
  return `[${blank(draw)}${values.join(`${blank(draw)},${blank(draw)}`)}]`;
}

const NO_RULES: ObjectPlan = { properties: new Map(), required: new Set(), others: ANY };

/** A value, mostly of the types of the plan. */
function valueText(draw: Draw, plan: ValuePlan, depth: number): string {
  const { types, object = NO_RULES, array = { prefix: [], items: ANY }, string = {} } = plan;
  if (draw.chance(1) || depth < -2) return draw.oneOf([...LITERALS, ...NUMBERS, '{}', '[]']);
  if (draw.chance(1)) return draw.oneOf([...BROKEN_NUMBERS, 'tru', 'nulL', 'falsey', '']);
  if (plan === ANY && draw.chance(30)) return draw.oneOf(ANY_VALUES);
  const kinds = [OBJECT, ARRAY, STRING, INTEGER, TRUE].filter((kind) => kind & types);
  switch (draw.oneOf(kinds.length > 0 ? kinds : [NULL])) {
    case OBJECT:
      return objectText(draw, object, depth);
    case ARRAY:
      return arrayText(draw, array, depth);
    case STRING:
      return stringText(draw, string);
    case INTEGER:
      return draw.oneOf(draw.chance(80) ? NUMBERS.slice(0, 13) : NUMBERS);
    default:
      return draw.oneOf(LITERALS);
  }
}

/** An event that the plans accept, or nearly. */
export function eventText(draw: Draw, { profiles, routing }: Plans): string {
  const event = draw.oneOf(profiles) ?? ANY;
  const text = objectText(draw, event.object ?? NO_RULES, DEPTH);
  if (routing === undefined || !draw.chance(90)) return text;
  const field = `"${PATH[0]}":{"x":1,"${PATH[1]}":${quoted(draw, draw.oneOf(ROUTES))}}`;
  return text === '{}' ? `{${field}}` : text.replace('{', `{${field},`);
}

const FRAGMENTS = [...'{}[]",:\\0-.eutn \t\u0001é', '""', '\\"', '\\u', '1'];

/** Replaces, inserts or deletes a character, or truncates the text. */
export function broken(draw: Draw, text: string): string {
  const characters = [...text];
  const at = draw.upTo(characters.length);
  if (draw.chance(30)) return characters.slice(0, at).join('');
  const fragment = draw.chance(80) ? [draw.oneOf(FRAGMENTS)] : [];
  characters.splice(at, draw.upTo(1), ...fragment);
  return characters.join('');
}

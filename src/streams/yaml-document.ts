/**
 * YAML or JSON text as plain values, with the position of each value and of each property name.
 * JSON is a subset of YAML.
 */
import {
  type Alias,
  Composer,
  type CST,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  Parser,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import { LIMITS } from '../config/limits.ts';
import type { Problem } from './problem.ts';
import { type Position, TextPositions } from './text-positions.ts';

/** Property names and array indexes from the root to a value. */
export type Path = readonly (string | number)[];

/** Offsets of a value, and the places of the values in it. */
interface Place {
  /** Offset of the property name; undefined for the root and in arrays. */
  readonly name: number | undefined;
  readonly value: number;
  /** Text of a number as written. */
  readonly digits: string | undefined;
  readonly inner: Map<string | number, Place>;
}

/** A parsed text. With problems, `value` is what could be read. */
export class YamlDocument {
  readonly value: unknown;
  /** Syntax errors, or else duplicate properties, invalid names and aliases. */
  readonly problems: readonly Problem[];
  readonly #positions: TextPositions;
  readonly #root: Place | undefined;

  constructor(text: string) {
    this.#positions = new TextPositions(text);
    const { contents, errors } = compose(text);
    const reader = new ValueReader(this.#positions);
    this.value = errors.length === 0 ? reader.read(contents) : undefined;
    this.#root = reader.root;
    const syntax = errors.map(([offset, message]) => ({ ...this.#positions.at(offset), message }));
    this.problems = errors.length === 0 ? reader.problems : syntax;
  }

  /** Returns the position of a value, or of the closest value around it that exists. */
  ofValue(path: Path): Position {
    return this.#positions.at(this.#closest(path)?.value ?? 0);
  }

  /** Returns the position of the property name of a value; of the value if it has none. */
  ofName(path: Path): Position {
    const place = this.#closest(path);
    return this.#positions.at(place?.name ?? place?.value ?? 0);
  }

  /** Returns the digits of a number as written: a double may lose some of them. */
  digitsOf(path: Path): string | undefined {
    return this.#closest(path)?.digits;
  }

  #closest(path: Path): Place | undefined {
    let place = this.#root;
    for (const part of path) {
      const inner = place?.inner.get(part);
      if (inner === undefined) break;
      place = inner;
    }
    return place;
  }
}

const { depth: DEPTH_MAX, values: VALUES_MAX } = LIMITS.streamFile;

type OffsetError = readonly [offset: number, message: string];

interface Composed {
  readonly contents: unknown;
  readonly errors: readonly OffsetError[];
}

/** Parses a text to the nodes of its only document. */
function compose(text: string): Composed {
  const tokens = [...new Parser().parse(text)];
  const deep = tooDeep(tokens);
  if (deep !== undefined) return { contents: null, errors: [[deep.offset, 'nested too deeply']] };
  // The package checks for duplicates in a time quadratic in the number of properties.
  const composer = new Composer({ uniqueKeys: false });
  const [document, second] = [...composer.compose(tokens, true, text.length)];
  // A warning is a tag that the package ignores, or a directive.
  const errors = [...(document?.errors ?? []), ...(document?.warnings ?? [])].map(
    ({ message, pos }): OffsetError => [
      pos[0],
      `not valid YAML: ${lowerCase(cut(message, MESSAGE_LENGTH_MAX))}`,
    ],
  );
  if (second !== undefined) errors.push([second.range[0], 'the file contains several documents']);
  return { contents: document?.contents, errors };
}

/**
 * Returns the first token beyond the maximum depth. The package descends by recursion: on a stack
 * that is almost full, V8 may end the process instead of throwing.
 */
function tooDeep(tokens: readonly CST.Token[]): CST.Token | undefined {
  const left = tokens.map((token): [CST.Token, depth: number] => [token, 0]).reverse();
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [token, depth] = next;
    if (depth > DEPTH_MAX) return token;
    const inner =
      token.type === 'document'
        ? [token.value]
        : 'items' in token
          ? token.items.flatMap(({ key, value }) => [key, value])
          : [];
    const level = token.type === 'document' ? 0 : depth + 1;
    for (const one of inner.reverse()) if (one) left.push([one, level]);
  }
  return undefined;
}

/** Ends the reading of a document that aliases enlarge beyond the limit. */
class TooLarge extends Error {}

/**
 * Reads the nodes of a document. Resolves aliases itself: the package searches the whole document
 * for each, and its own conversion loses the positions.
 */
class ValueReader {
  root: Place | undefined;
  readonly problems: Problem[] = [];
  readonly #positions: TextPositions;
  /** The last node with each anchor so far. */
  readonly #anchors = new Map<string, Node>();
  /** Nodes of aliases; filled where an alias stands in the text. */
  readonly #targets = new Map<Alias, Node | undefined>();
  /** Nodes that contain the current one. */
  readonly #open = new Set<Node>();
  #expanding = 0;
  #count = 0;

  constructor(positions: TextPositions) {
    this.#positions = positions;
  }

  read(node: unknown): unknown {
    try {
      return this.#read(node, { path: [], name: undefined, end: 0, into: undefined });
    } catch (error) {
      if (error instanceof TooLarge) return undefined;
      throw error;
    }
  }

  #read(node: unknown, slot: Slot): unknown {
    if (isAlias(node)) return this.#readAlias(node, slot);
    const { path, name, end, into } = slot;
    const value = isNode(node) ? (node.range?.[0] ?? end) : end;
    const digits = isScalar(node) && typeof node.value === 'number' ? node.source : undefined;
    const place: Place = { name, value, digits, inner: new Map() };
    if (into === undefined) this.root = place;
    else into.inner.set(path.at(-1)!, place);
    this.#count++;
    if (this.#count > VALUES_MAX) {
      this.#report(value, `more than ${VALUES_MAX} values, those of aliases included`);
      throw new TooLarge();
    }
    if (path.length > DEPTH_MAX) {
      this.#report(value, 'nested too deeply');
      return undefined;
    }
    if (!isNode(node)) return null;
    if (!isAlias(node) && node.anchor !== undefined && this.#expanding === 0) {
      this.#anchors.set(node.anchor, node);
    }
    if (isScalar(node)) return node.value;
    this.#open.add(node);
    const read = isMap(node)
      ? this.#readMap(node, path, place)
      : (node as YAMLSeq).items.map((item, index) =>
          this.#read(item, { path: [...path, index], name: undefined, end: value, into: place }),
        );
    this.#open.delete(node);
    return read;
  }

  #readAlias(alias: Alias, slot: Slot): unknown {
    if (!this.#targets.has(alias)) this.#targets.set(alias, this.#anchors.get(alias.source));
    const target = this.#targets.get(alias);
    if (target === undefined || this.#open.has(target)) {
      const problem = target === undefined ? 'has no anchor before it' : 'contains itself';
      const offset = alias.range?.[0] ?? slot.end;
      this.#report(offset, `the alias *${cut(alias.source)} ${problem}`);
      return undefined;
    }
    this.#expanding++;
    const value = this.#read(target, slot);
    this.#expanding--;
    return value;
  }

  #readMap(map: YAMLMap, path: Path, place: Place): unknown {
    const read = new Map<string, unknown>();
    for (const { key, value } of map.items as Pair[]) {
      const [start = place.value, end = start] = (isNode(key) && key.range) || [];
      const name = this.#nameOf(key, start);
      if (name === undefined) continue;
      const own = [...path, name];
      if (read.has(name)) {
        const { line } = this.#positions.at(place.inner.get(name)?.name ?? start);
        this.#report(start, `duplicate property ${dotted(own)}, first in line ${line}`);
        continue;
      }
      read.set(name, this.#read(value, { path: own, name: start, end, into: place }));
    }
    // Not assigned one by one: that would set the prototype for a property `__proto__`.
    return Object.fromEntries(read);
  }

  #report(offset: number, message: string): void {
    this.problems.push({ ...this.#positions.at(offset), message });
  }

  #nameOf(key: unknown, offset: number): string | undefined {
    const name = isScalar(key) ? key.value : undefined;
    const written = isScalar(key) ? (key.source ?? '') : '';
    if (written === '<<') this.#report(offset, 'merge keys (<<) are not supported');
    else if (typeof name !== 'string') {
      const hint = written === '' ? '' : `: write '${cut(written)}'`;
      this.#report(offset, `a property name must be text${hint}`);
    } else if (name.length > NAME_LENGTH_MAX) {
      this.#report(offset, `a property name has more than ${NAME_LENGTH_MAX} characters`);
    } else return name;
    return undefined;
  }
}

/** Destination of a value. */
interface Slot {
  readonly path: Path;
  /** Offset of the property name. */
  readonly name: number | undefined;
  /** Offset of the value if it is absent. */
  readonly end: number;
  /** Place of the value around it; undefined for the root. */
  readonly into: Place | undefined;
}

function isNode(value: unknown): value is Alias | Scalar | YAMLMap | YAMLSeq {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

const PLAIN_NAME = /^[\w.-]+$/;
/** Maximum length of a property name, and of a name in a message. */
const NAME_LENGTH_MAX = 256;
const SHOWN_LENGTH_MAX = 60;
/** Maximum length of a message of the package, which may quote the file. */
const MESSAGE_LENGTH_MAX = 160;

/** Path for messages: `streams.clicks.match[0]`; names with other characters are quoted. */
export function dotted(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else text += `${text === '' ? '' : '.'}${shownName(part)}`;
  }
  return text;
}

/** Shows a property name, quoted if it could be misread. */
export function shownName(name: string): string {
  return PLAIN_NAME.test(name) ? cut(name) : shownText(name);
}

/** Shows a text in quotes, shortened. */
export function shownText(text: string): string {
  return JSON.stringify(cut(text));
}

function cut(text: string, length = SHOWN_LENGTH_MAX): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function lowerCase(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

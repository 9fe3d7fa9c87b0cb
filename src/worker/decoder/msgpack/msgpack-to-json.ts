/**
 * MessagePack to JSON, in one pass over its bytes and without making values: fields stay in their
 * order, doubled ones stay doubled, and `__proto__` is a name like any other. Nesting is a stack of
 * counts, not recursion: a frame may be tens of thousands of levels deep.
 *
 * A frame is an array of events, or one event, and comes out as a line of JSON for each:
 *
 *   92                 81 a1 61 01   81 a1 62 90
 *   array of 2         {"a":1}⏎      {"b":[]}⏎
 */
import assert from 'node:assert/strict';
import { byteOrderMark } from '../../../common/byte-order-mark.ts';
import { COLON, WRONG } from '../json/json-grammar.ts';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  LINE_FEED,
  OPEN_BRACE,
  OPEN_BRACKET,
} from '../json/json-scanner.ts';
import { writeInteger, writeNumber, writeString } from './json-writer.ts';
import { floatAt, integerAt, KIND, KINDS, lengthAt, NUMBER_BYTES } from './msgpack-types.ts';

/** What a byte of MessagePack becomes at the most: `false` and what stands behind it. */
const GROWTH_MAX = 6;
const NULL = Buffer.from('null');
const FALSE = Buffer.from('false');
const TRUE = Buffer.from('true');
/** What JSON has nothing for, by kind. */
const NOT_TAKEN: Readonly<Record<number, string>> = {
  [KIND.binary]: 'binary data',
  [KIND.extension]: 'an extension (timestamps are one)',
  [KIND.none]: 'a byte that MessagePack does not use',
};

export class Transcoder {
  #bytes: Buffer = Buffer.alloc(0);
  /** How far the frame is read, and the JSON written. */
  #at = 0;
  #out = 0;
  #json: Buffer = Buffer.alloc(0);
  /** Items to come in the array or map that is open: keys and values each count. */
  #left = 0;
  #isMap = false;
  /** The same two of those around it, each in one number. */
  readonly #parents: number[] = [];
  #events = 0;
  #problem: string | undefined;
  /** Where each line of the JSON ends, its line feed not counted. */
  readonly ends: number[] = [];

  /** Begins with a frame: {@link advance} goes through it. */
  begin(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#out = 0;
    this.#isMap = false;
    this.#parents.length = 0;
    this.#problem = undefined;
    this.ends.length = 0;
    const most = bytes.length * GROWTH_MAX;
    if (most > this.#json.length) this.#json = Buffer.allocUnsafeSlow(most);
    this.#events = 1;
    if (KINDS[bytes[0] ?? 0] === KIND.array) this.#beginArray();
    this.#left = this.#events;
  }

  /** Its elements are the events: it is not written. */
  #beginArray(): void {
    const start = this.#headEnd();
    this.#events = start === WRONG ? 0 : Math.max(0, this.#itemsOf(start, 1));
    if (this.#problem === undefined) this.#at = start;
  }

  /** How many events the frame says that it has; its bytes may hold as many. */
  get events(): number {
    return this.#events;
  }
  /** What is wrong with the frame, and where; undefined = nothing up to now. */
  get problem(): string | undefined {
    return this.#problem;
  }
  /** The lines that were written; good until the next frame begins. */
  get json(): Buffer {
    return this.#json;
  }

  /**
   * Goes on until so many bytes of the frame have been read, about.
   * @returns whether it is over: all is written, or there is a problem
   */
  advance(maxBytes: number): boolean {
    const pauseAt = this.#at + maxBytes;
    while (this.#left > 0 && this.#problem === undefined) {
      if (this.#at > pauseAt) return false;
      this.#item();
    }
    // What is written behind the end of a buffer is lost without a word.
    assert(this.#out <= this.#json.length, 'the JSON has room');
    if (this.#at < this.#bytes.length) {
      this.#wrong(`more behind its end${textHint(this.#bytes)}`);
    }
    return true;
  }

  /** Reads a key, a value, or the head of an array or map, and writes what it is in JSON. */
  #item(): void {
    const type = this.#bytes[this.#at];
    if (type === undefined) return this.#wrong('it ends too early');
    const kind = KINDS[type]!;
    if (kind === KIND.string) return this.#string();
    if (this.#isMap && (this.#left & 1) === 0) return this.#wrong('a key that is no string');
    switch (kind) {
      case KIND.map:
        return this.#open(true);
      case KIND.array:
        return this.#open(false);
      case KIND.integer:
      case KIND.float:
        return this.#number(kind === KIND.float);
      case KIND.nil:
        return this.#word(NULL);
      case KIND.false:
        return this.#word(FALSE);
      case KIND.true:
        return this.#word(TRUE);
    }
    this.#wrong(NOT_TAKEN[kind]!);
  }

  #string(): void {
    const start = this.#headEnd();
    if (start === WRONG) return;
    const end = start + lengthAt(this.#bytes, this.#at);
    if (end > this.#bytes.length) return this.#wrong('a string that is longer than what comes');
    const out = writeString(this.#bytes, start, end, this.#json, this.#out);
    if (out === WRONG) return this.#wrong('a string that is not UTF-8');
    this.#written(end, out);
  }

  #number(isFloat: boolean): void {
    const end = this.#headEnd();
    if (end === WRONG) return;
    const value = isFloat ? floatAt(this.#bytes, this.#at) : integerAt(this.#bytes, this.#at);
    if (value === undefined) return this.#wrong('an integer beyond 2^53');
    if (!Number.isFinite(value)) return this.#wrong('a number that is not finite');
    const write = isFloat ? writeNumber : writeInteger;
    this.#written(end, write(value, this.#json, this.#out));
  }

  #word(word: Buffer): void {
    let out = this.#out;
    for (let index = 0; index < word.length; index++) this.#json[out++] = word[index]!;
    this.#written(this.#at + 1, out);
  }

  #open(isMap: boolean): void {
    const start = this.#headEnd();
    if (start === WRONG) return;
    const items = this.#itemsOf(start, isMap ? 2 : 1);
    if (items === WRONG) return;
    this.#json[this.#out++] = isMap ? OPEN_BRACE : OPEN_BRACKET;
    if (items === 0) {
      this.#json[this.#out++] = isMap ? CLOSE_BRACE : CLOSE_BRACKET;
      return this.#written(start, this.#out);
    }
    this.#at = start;
    this.#parents.push(this.#left * 2 + Number(this.#isMap));
    this.#left = items;
    this.#isMap = isMap;
  }

  /** Where the number behind the first byte ends, if any; {@link WRONG} = the frame ends before. */
  #headEnd(): number {
    const end = this.#at + 1 + NUMBER_BYTES[this.#bytes[this.#at]!]!;
    if (end <= this.#bytes.length) return end;
    this.#wrong('it ends too early');
    return WRONG;
  }

  /** The items of the array or map whose head ends at `start`. No more are believed than can come. */
  #itemsOf(start: number, perEntry: 1 | 2): number {
    const items = lengthAt(this.#bytes, this.#at) * perEntry;
    if (items <= this.#bytes.length - start) return items;
    this.#wrong('an array or map that is longer than what comes');
    return WRONG;
  }

  /** An item is read up to `at` and written up to `out`; with it may end what it stands in. */
  #written(at: number, out: number): void {
    this.#at = at;
    let end = out;
    this.#left--;
    while (this.#left === 0 && this.#parents.length > 0) {
      this.#json[end++] = this.#isMap ? CLOSE_BRACE : CLOSE_BRACKET;
      const parent = this.#parents.pop()!;
      this.#isMap = (parent & 1) === 1;
      this.#left = (parent >> 1) - 1;
    }
    if (this.#parents.length === 0) {
      this.ends.push(end);
      this.#json[end++] = LINE_FEED;
    } else this.#json[end++] = this.#isMap && (this.#left & 1) === 1 ? COLON : COMMA;
    this.#out = end;
  }

  #wrong(what: string): void {
    this.#problem ??= `byte ${this.#at}: ${what}`;
  }
}

/** Says that bytes begin as text does: to MessagePack that is a number. */
function textHint(bytes: Buffer): string {
  const mark = byteOrderMark(bytes);
  if (mark !== undefined) return `: it begins with ${mark}, as text does`;
  const isJson = bytes[0] === OPEN_BRACE || bytes[0] === OPEN_BRACKET;
  return isJson ? ': it looks like JSON' : '';
}

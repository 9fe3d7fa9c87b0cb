/**
 * Converts MessagePack to JSON in one pass over its bytes, without creating values: fields keep
 * their order, duplicates are kept, and `__proto__` is an ordinary name. Nesting is a stack of
 * counts, without recursion: a frame can be tens of thousands of levels deep.
 *
 * A frame is an array of events, or one event. Each event becomes a line of JSON:
 *
 *   92                 81 a1 61 01   81 a1 62 90
 *   array of 2         {"a":1}⏎      {"b":[]}⏎
 */
import assert from 'node:assert/strict';
import { byteOrderMark } from '../../../common/byte-order-mark.ts';
import {
  floatAt,
  integerAt,
  KIND,
  KINDS,
  lengthAt,
  NUMBER_BYTES,
} from '../../../common/msgpack-types.ts';
import { COLON, INVALID } from '../json/json-grammar.ts';
import {
  CLOSE_BRACE,
  CLOSE_BRACKET,
  COMMA,
  LINE_FEED,
  OPEN_BRACE,
  OPEN_BRACKET,
} from '../json/json-scanner.ts';
import { writeInteger, writeNumber, writeString } from './json-writer.ts';

/** Maximum bytes of JSON per byte of MessagePack: `false` and the separator after it. */
const GROWTH_MAX = 6;
const NULL = Buffer.from('null');
const FALSE = Buffer.from('false');
const TRUE = Buffer.from('true');
/** Messages for kinds that JSON cannot represent. */
const UNSUPPORTED: Readonly<Record<number, string>> = {
  [KIND.binary]: 'binary data is not supported',
  [KIND.extension]: 'extension types (such as timestamps) are not supported',
  [KIND.none]: 'not a MessagePack type',
};

export class MsgpackToJson {
  #bytes: Buffer = Buffer.alloc(0);
  /** Read offset in the frame, write offset in the JSON. */
  #at = 0;
  #out = 0;
  #json: Buffer = Buffer.alloc(0);
  /** Remaining items of the open array or map; keys and values count separately. */
  #left = 0;
  #isMap = false;
  /** `left * 2 + isMap` of each enclosing array or map. */
  readonly #parents: number[] = [];
  #events = 0;
  #problem: string | undefined;
  /** End of each line of JSON, without its line feed. */
  readonly ends: number[] = [];
  /** End of each event in the frame; it begins where the one before ends. */
  readonly sentEnds: number[] = [];
  /** Start of the first event in the frame. */
  firstStart = 0;

  /** Starts a frame, to be converted by {@link advance}. */
  begin(bytes: Buffer): void {
    this.#bytes = bytes;
    this.#at = 0;
    this.#out = 0;
    this.#isMap = false;
    this.#parents.length = 0;
    this.#problem = undefined;
    this.ends.length = 0;
    this.sentEnds.length = 0;
    const most = bytes.length * GROWTH_MAX;
    if (most > this.#json.length) this.#json = Buffer.allocUnsafeSlow(most);
    this.#events = 1;
    if (KINDS[bytes[0] ?? 0] === KIND.array) this.#beginArray();
    this.#left = this.#events;
    this.firstStart = this.#at;
  }

  /** Reads the head of the outer array, which is not written: its elements are the events. */
  #beginArray(): void {
    const start = this.#headEnd();
    this.#events = start === INVALID ? 0 : Math.max(0, this.#itemCount(start, 1));
    if (this.#problem === undefined) this.#at = start;
  }

  /** Number of events that the frame declares; the frame is long enough to contain them. */
  get events(): number {
    return this.#events;
  }
  /** Error in the frame, with its offset; undefined = none so far. */
  get problem(): string | undefined {
    return this.#problem;
  }
  /** The written lines; valid until the next frame begins. */
  get json(): Buffer {
    return this.#json;
  }

  /**
   * Converts about `maxBytes` of the frame.
   * @returns whether the frame is done: all of it is written, or it has an error
   */
  advance(maxBytes: number): boolean {
    const pauseAt = this.#at + maxBytes;
    while (this.#left > 0 && this.#problem === undefined) {
      if (this.#at > pauseAt) return false;
      this.#convertItem();
    }
    // Writes beyond the end of a buffer are silently ignored.
    assert(this.#out <= this.#json.length, 'the JSON fits the buffer');
    if (this.#at < this.#bytes.length) {
      this.#fail(`unexpected bytes after the end${textHint(this.#bytes)}`);
    }
    return true;
  }

  /** Converts a key, a value, or the head of an array or map. */
  #convertItem(): void {
    const type = this.#bytes[this.#at];
    if (type === undefined) return this.#fail('unexpected end of input');
    const kind = KINDS[type]!;
    if (kind === KIND.string) return this.#string();
    if (this.#isMap && (this.#left & 1) === 0) return this.#fail('map key is not a string');
    switch (kind) {
      case KIND.map:
        return this.#open(true);
      case KIND.array:
        return this.#open(false);
      case KIND.integer:
      case KIND.float:
        return this.#number(kind === KIND.float);
      case KIND.nil:
        return this.#literal(NULL);
      case KIND.false:
        return this.#literal(FALSE);
      case KIND.true:
        return this.#literal(TRUE);
    }
    this.#fail(UNSUPPORTED[kind]!);
  }

  #string(): void {
    const start = this.#headEnd();
    if (start === INVALID) return;
    const end = start + lengthAt(this.#bytes, this.#at);
    if (end > this.#bytes.length) return this.#fail('string length exceeds the remaining input');
    const out = writeString(this.#bytes, start, end, this.#json, this.#out);
    if (out === INVALID) return this.#fail('string is not valid UTF-8');
    this.#endItem(end, out);
  }

  #number(isFloat: boolean): void {
    const end = this.#headEnd();
    if (end === INVALID) return;
    const value = isFloat ? floatAt(this.#bytes, this.#at) : integerAt(this.#bytes, this.#at);
    if (value === undefined) return this.#fail('integer beyond 2^53');
    if (!Number.isFinite(value)) return this.#fail('number is not finite');
    const write = isFloat ? writeNumber : writeInteger;
    this.#endItem(end, write(value, this.#json, this.#out));
  }

  #literal(text: Buffer): void {
    let out = this.#out;
    for (let index = 0; index < text.length; index++) this.#json[out++] = text[index]!;
    this.#endItem(this.#at + 1, out);
  }

  #open(isMap: boolean): void {
    const start = this.#headEnd();
    if (start === INVALID) return;
    const items = this.#itemCount(start, isMap ? 2 : 1);
    if (items === INVALID) return;
    this.#json[this.#out++] = isMap ? OPEN_BRACE : OPEN_BRACKET;
    if (items === 0) {
      this.#json[this.#out++] = isMap ? CLOSE_BRACE : CLOSE_BRACKET;
      return this.#endItem(start, this.#out);
    }
    this.#at = start;
    this.#parents.push(this.#left * 2 + Number(this.#isMap));
    this.#left = items;
    this.#isMap = isMap;
  }

  /** Returns the end of the head, type byte and number; {@link INVALID} = the frame ends before. */
  #headEnd(): number {
    const end = this.#at + 1 + NUMBER_BYTES[this.#bytes[this.#at]!]!;
    if (end <= this.#bytes.length) return end;
    this.#fail('unexpected end of input');
    return INVALID;
  }

  /** Returns the item count of an array or map whose head ends at `start`, if they can fit. */
  #itemCount(start: number, perEntry: 1 | 2): number {
    const items = lengthAt(this.#bytes, this.#at) * perEntry;
    if (items <= this.#bytes.length - start) return items;
    this.#fail('array or map length exceeds the remaining input');
    return INVALID;
  }

  /** Ends an item read up to `at` and written up to `out`, and the containers that end with it. */
  #endItem(at: number, out: number): void {
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
      this.sentEnds.push(at);
      this.#json[end++] = LINE_FEED;
    } else this.#json[end++] = this.#isMap && (this.#left & 1) === 1 ? COLON : COMMA;
    this.#out = end;
  }

  #fail(problem: string): void {
    this.#problem ??= `byte ${this.#at}: ${problem}`;
  }
}

/** Returns a hint if the bytes begin like text, which MessagePack reads as a number. */
function textHint(bytes: Buffer): string {
  const mark = byteOrderMark(bytes);
  if (mark !== undefined) return `; the input begins with ${mark}, like text`;
  const isJson = bytes[0] === OPEN_BRACE || bytes[0] === OPEN_BRACKET;
  return isJson ? '; the input looks like JSON' : '';
}

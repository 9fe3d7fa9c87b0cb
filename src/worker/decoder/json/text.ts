/**
 * Text to events: one JSON value, an array of them, or NDJSON ("Events and frames" in
 * docs/protocol.md). Values are parsed to check them; what goes on is the client's own bytes.
 */
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { byteOrderMark } from '../../../common/byte-order-mark.ts';
import { EVENT_CODES } from '../../../common/errors.ts';
import type { DecodeBounds, EventSink } from '../event-sink.ts';
import { decodeKnown } from './fast-path.ts';
import { isJson } from './json-grammar.ts';
import {
  CLOSE_BRACKET,
  COMMA,
  LINE_FEED,
  nestsDeeper,
  OPEN_BRACKET,
  skipBlank,
  trimmedEnd,
  valueEnd,
} from './json-scanner.ts';
import { sliceArray } from './sliced-array.ts';
import { refuseCount, refuseLength, takeEvent, takeText } from './take.ts';

/** All at once. */
const WHOLE = { sliceBytes: Number.POSITIVE_INFINITY, sliceEvents: Number.POSITIVE_INFINITY };

/**
 * Takes apart a text frame, or a body that is read like one. `bytes` must be valid UTF-8: the
 * caller has checked it.
 * @returns how many events were received, refused ones included
 */
export function decodeText(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  const start = skipBlank(bytes, 0);
  const known = decodeKnown(bytes, start, bounds, sink);
  if (known !== undefined) return known;
  const isArray = bytes[start] === OPEN_BRACKET;
  if (!isArray && isLines(bytes, start)) return decodeLines(bytes, bounds, sink, true);
  const maxDepth = isArray ? bounds.maxDepth + 1 : bounds.maxDepth;
  if (nestsDeeper(bytes, start, bytes.length, maxDepth)) {
    return decodeDeep(bytes, start, isArray, bounds, sink);
  }
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString());
  } catch (error) {
    sink.refuseFrame('invalid_json', syntaxMessage(error, bytes, start));
    return 1;
  }
  if (isArray) return decodeArray(bytes, start, value as unknown[], bounds, sink);
  const end = trimmedEnd(bytes, start, bytes.length);
  takeEvent(0, value, bytes, start, end, bounds, sink);
  return 1;
}

/**
 * {@link decodeText} for bytes that may be anything, as HTTP bodies are: what is not UTF-8 is
 * refused as a whole.
 * @returns how many events were received, refused ones included
 */
export function decodeTextBody(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  return isUtf8(bytes) ? decodeText(bytes, bounds, sink) : refuseEncoding(bytes, sink);
}

/**
 * Takes apart a body of type application/x-ndjson: each line that is not blank is an event.
 * `bytes` may be anything; a line that is not UTF-8 is refused alone.
 * @returns how many events were received, refused ones included
 */
export function decodeNdjson(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  if (skipBlank(bytes, 0) < bytes.length) {
    return decodeLines(bytes, bounds, sink, isUtf8(bytes));
  }
  sink.refuseFrame('invalid_json', 'not valid JSON: there is no event');
  return 1;
}

function decodeArray(
  bytes: Buffer,
  open: number,
  values: readonly unknown[],
  bounds: DecodeBounds,
  sink: EventSink,
): number {
  if (values.length > bounds.maxEvents) return refuseCount(bounds, sink);
  const last = values.length - 1;
  let at = open + 1;
  for (let index = 0; index <= last; index++) {
    const start = skipBlank(bytes, at);
    const end = valueEnd(bytes, start);
    const separator = skipBlank(bytes, end);
    const expected = index === last ? CLOSE_BRACKET : COMMA;
    assert(bytes[separator] === expected, 'the scanner cuts elements where JSON.parse does');
    takeEvent(index, values[index], bytes, start, end, bounds, sink);
    at = separator + 1;
  }
  return values.length;
}

/** Takes apart what nests too deeply somewhere: no values are made of that, which are dear. */
function decodeDeep(
  bytes: Buffer,
  start: number,
  isArray: boolean,
  bounds: DecodeBounds,
  sink: EventSink,
): number {
  const end = trimmedEnd(bytes, start, bytes.length);
  if (!isArray) {
    if (!isJson(bytes, start, end)) return refuseText(bytes, start, sink);
    takeText(0, bytes, start, end, bounds, sink);
    return 1;
  }
  let events = 0;
  for (const received of sliceArray(bytes, start, bounds, sink, WHOLE)) events += received;
  return events;
}

function decodeLines(bytes: Buffer, bounds: DecodeBounds, sink: EventSink, utf8: boolean): number {
  if (hasMoreLines(bytes, bounds.maxEvents)) return refuseCount(bounds, sink);
  const lines = new Lines(bytes, bounds, sink, utf8);
  lines.take(bytes.length, bounds.maxEvents);
  return lines.taken;
}

/** Text of which each line that is not blank is an event, taken from the first to the last. */
export class Lines {
  readonly #bytes: Buffer;
  readonly #bounds: DecodeBounds;
  readonly #sink: EventSink;
  readonly #utf8: boolean;
  /** An exception is dear: after the first, whose message says where, lines are checked without. */
  #broken = false;
  #index = 0;
  #start: number;

  /** @param utf8 whether all of `bytes` is UTF-8; else each line is looked at */
  constructor(bytes: Buffer, bounds: DecodeBounds, sink: EventSink, utf8: boolean) {
    this.#bytes = bytes;
    this.#bounds = bounds;
    this.#sink = sink;
    this.#utf8 = utf8;
    this.#start = skipBlank(bytes, 0);
  }

  /** Events handed on or refused up to now. */
  get taken(): number {
    return this.#index;
  }

  get atEnd(): boolean {
    return this.#start >= this.#bytes.length;
  }

  /** Takes lines until so many bytes have been read, or so many events, but one at the least. */
  take(maxBytes: number, maxEvents: number): void {
    const untilByte = this.#start + maxBytes;
    const untilIndex = this.#index + maxEvents;
    const bytes = this.#bytes;
    while (!this.atEnd && this.#start < untilByte && this.#index < untilIndex) {
      const next = lineEnd(bytes, this.#start);
      this.#line(this.#start, trimmedEnd(bytes, this.#start, next));
      this.#index++;
      this.#start = skipBlank(bytes, next);
    }
  }

  #line(start: number, end: number): void {
    const bytes = this.#bytes;
    const sink = this.#sink;
    const index = this.#index;
    const { sieve } = sink;
    const { maxEventBytes, maxDepth } = this.#bounds;
    if (end - start > maxEventBytes) {
      refuseLength(index, end - start, this.#bounds, sink);
    } else if (!this.#utf8 && !isUtf8(bytes.subarray(start, end))) {
      sink.refuseEvent(index, 'invalid_utf8', encodingMessage(bytes, start));
    } else if (sieve?.objectEnd(bytes, start, end, maxDepth) === end) {
      sink.known(index, bytes, start, end, sieve.keyStart, sieve.keyBytes);
    } else if (nestsDeeper(bytes, start, end, maxDepth)) {
      if (isJson(bytes, start, end)) takeText(index, bytes, start, end, this.#bounds, sink);
      else sink.refuseEvent(index, 'invalid_json', jsonMessage(bytes, start));
    } else if (this.#broken && !isJson(bytes, start, end)) {
      sink.refuseEvent(index, 'invalid_json', jsonMessage(bytes, start));
    } else {
      this.#broken = !takeLine(index, bytes, start, end, this.#bounds, sink) || this.#broken;
    }
  }
}

/** @returns whether the line is JSON */
function takeLine(
  index: number,
  bytes: Buffer,
  start: number,
  end: number,
  bounds: DecodeBounds,
  sink: EventSink,
): boolean {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8', start, end));
  } catch (error) {
    sink.refuseEvent(index, 'invalid_json', syntaxMessage(error, bytes, start));
    return false;
  }
  takeEvent(index, value, bytes, start, end, bounds, sink);
  return true;
}

/**
 * Whether text is NDJSON: its first line, from `start` on, is JSON by itself and others follow.
 * Then the whole is not JSON, and there is no need to try.
 */
function isLines(bytes: Buffer, start: number): boolean {
  const end = lineEnd(bytes, start);
  if (skipBlank(bytes, end) === bytes.length) return false;
  return isJson(bytes, start, trimmedEnd(bytes, start, end));
}

/** Asked before the first line is handed on: a frame with too many is refused as a whole. */
export function hasMoreLines(bytes: Buffer, max: number): boolean {
  let lines = 0;
  let start = skipBlank(bytes, 0);
  while (start < bytes.length && lines <= max) {
    lines++;
    start = skipBlank(bytes, lineEnd(bytes, start));
  }
  return lines > max;
}

/** The offset of the line feed behind `start`, or of the end. */
export function lineEnd(bytes: Buffer, start: number): number {
  const found = bytes.indexOf(LINE_FEED, start);
  return found === -1 ? bytes.length : found;
}

/** Refuses bytes that are not UTF-8, as one. @returns 1 */
export function refuseEncoding(bytes: Buffer, sink: EventSink): number {
  sink.refuseFrame('invalid_utf8', encodingMessage(bytes, 0));
  return 1;
}

/** Refuses text from `start` on that is not JSON, as one. @returns 1 */
export function refuseText(bytes: Buffer, start: number, sink: EventSink): number {
  sink.refuseFrame('invalid_json', jsonMessage(bytes, start));
  return 1;
}

function encodingMessage(bytes: Buffer, start: number): string {
  return withMark(EVENT_CODES.invalid_utf8.text, bytes, start);
}

function jsonMessage(bytes: Buffer, start: number): string {
  return withMark(EVENT_CODES.invalid_json.text, bytes, start);
}

/** Names a byte order mark as the reason: editors and libraries that write it do not show it. */
function withMark(text: string, bytes: Buffer, start: number): string {
  const mark = byteOrderMark(bytes, start);
  return mark === undefined ? text : `${text}: it begins with ${mark}`;
}

/**
 * V8's messages differ between Node versions and quote the text, which may hold anything. Only the
 * position is taken, from the end of the message, where no quoted text can stand.
 */
function syntaxMessage(error: unknown, bytes: Buffer, start: number): string {
  if (byteOrderMark(bytes, start) !== undefined) return jsonMessage(bytes, start);
  const { message } = error as SyntaxError;
  if (message === 'Unexpected end of JSON input') return 'not valid JSON: it ends too early';
  const position = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message)?.[1];
  return position === undefined ? 'not valid JSON' : `not valid JSON at position ${position}`;
}

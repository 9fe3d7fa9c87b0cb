/**
 * Decodes text into events: one JSON value, an array of values, or NDJSON ("Events and frames" in
 * docs/protocol.md). Values are parsed for validation only; the original bytes are passed on.
 */
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { byteOrderMark } from '../../../common/byte-order-mark.ts';
import { EVENT_CODES } from '../../../common/errors.ts';
import type { DecodeBounds } from '../decode-bounds.ts';
import type { EventCounter, EventSink } from '../event-sink.ts';
import { located } from '../kernel/located-fields.ts';
import { emitText, emitValue, rejectCount, rejectLength } from './emit.ts';
import { decodeFast } from './fast-path.ts';
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

/** A slice without limits. */
const WHOLE = { sliceBytes: Number.POSITIVE_INFINITY, sliceEvents: Number.POSITIVE_INFINITY };

/**
 * Decodes a text frame, or a body in the same format. `bytes` must be valid UTF-8, checked by the
 * caller.
 * @returns the number of events, including rejected ones
 */
export function decodeText(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  const start = skipBlank(bytes, 0);
  const decoded = decodeFast(bytes, start, bounds, sink);
  if (decoded !== undefined) return decoded;
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
    sink.rejectFrame('invalid_json', syntaxMessage(error, bytes, start), bytes);
    return 1;
  }
  if (isArray) return decodeArray(bytes, start, value as unknown[], bounds, sink);
  const end = trimmedEnd(bytes, start, bytes.length);
  emitValue(0, value, bytes, start, end, bounds, sink);
  return 1;
}

/**
 * {@link decodeText} for unchecked bytes, such as HTTP bodies: input that is not UTF-8 is rejected
 * as a whole.
 * @returns the number of events, including rejected ones
 */
export function decodeTextBody(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  return isUtf8(bytes) ? decodeText(bytes, bounds, sink) : rejectEncoding(bytes, sink);
}

/**
 * Decodes a body of type application/x-ndjson, with an event per line that is not blank. `bytes`
 * are unchecked; a line that is not UTF-8 is rejected alone.
 * @returns the number of events, including rejected ones
 */
export function decodeNdjson(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number {
  if (skipBlank(bytes, 0) < bytes.length) {
    return decodeLines(bytes, bounds, sink, isUtf8(bytes));
  }
  sink.rejectFrame('invalid_json', 'not valid JSON: the body is empty', bytes);
  return 1;
}

function decodeArray(
  bytes: Buffer,
  open: number,
  values: readonly unknown[],
  bounds: DecodeBounds,
  sink: EventSink,
): number {
  if (values.length > bounds.maxEvents) return rejectCount(bytes, bounds, sink);
  const last = values.length - 1;
  let at = open + 1;
  for (let index = 0; index <= last; index++) {
    const start = skipBlank(bytes, at);
    const end = valueEnd(bytes, start);
    const separator = skipBlank(bytes, end);
    const expected = index === last ? CLOSE_BRACKET : COMMA;
    assert(bytes[separator] === expected, 'the scanner finds the same elements as JSON.parse');
    emitValue(index, values[index], bytes, start, end, bounds, sink);
    at = separator + 1;
  }
  return values.length;
}

/** Decodes text that nests too deeply, without creating the expensive values. */
function decodeDeep(
  bytes: Buffer,
  start: number,
  isArray: boolean,
  bounds: DecodeBounds,
  sink: EventSink,
): number {
  const end = trimmedEnd(bytes, start, bytes.length);
  if (!isArray) {
    if (!isJson(bytes, start, end)) return rejectText(bytes, start, sink);
    emitText(0, bytes, start, end, bounds, sink);
    return 1;
  }
  let events = 0;
  for (const received of sliceArray(bytes, start, bounds, sink, WHOLE)) events += received;
  return events;
}

function decodeLines(bytes: Buffer, bounds: DecodeBounds, sink: EventSink, utf8: boolean): number {
  if (exceedsLines(bytes, bounds.maxEvents)) return rejectCount(bytes, bounds, sink);
  const lines = new LineDecoder(bytes, bounds, sink, utf8);
  lines.advance(bytes.length, bounds.maxEvents);
  return lines.events;
}

/** Decodes text with an event per line that is not blank, in several steps. */
export class LineDecoder {
  readonly #bytes: Buffer;
  readonly #bounds: DecodeBounds;
  readonly #sink: EventSink;
  readonly #utf8: boolean;
  /** A line was broken: exceptions are expensive, so JSON.parse no longer checks lines. */
  #broken = false;
  #index = 0;
  #start: number;

  /** @param utf8 whether all of `bytes` is UTF-8; otherwise each line is checked */
  constructor(bytes: Buffer, bounds: DecodeBounds, sink: EventSink, utf8: boolean) {
    this.#bytes = bytes;
    this.#bounds = bounds;
    this.#sink = sink;
    this.#utf8 = utf8;
    this.#start = skipBlank(bytes, 0);
  }

  /** Number of events so far, including rejected ones. */
  get events(): number {
    return this.#index;
  }

  get atEnd(): boolean {
    return this.#start >= this.#bytes.length;
  }

  /** Decodes at least one line, until `maxBytes` or `maxEvents` are reached. */
  advance(maxBytes: number, maxEvents: number): void {
    const untilByte = this.#start + maxBytes;
    const untilIndex = this.#index + maxEvents;
    const bytes = this.#bytes;
    // Longer lines are rejected.
    const loadedTo = Math.min(untilByte + this.#bounds.maxEventBytes, bytes.length);
    this.#sink.fastValidator?.load(bytes, this.#start, loadedTo);
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
    const { fastValidator } = sink;
    const { maxEventBytes, maxDepth } = this.#bounds;
    if (end - start > maxEventBytes) {
      rejectLength(index, bytes, start, end, this.#bounds, sink);
    } else if (!this.#utf8 && !isUtf8(bytes.subarray(start, end))) {
      sink.rejectEvent(index, 'invalid_utf8', encodingMessage(bytes, start), bytes, start, end);
    } else if (fastValidator?.objectEnd(start, end, maxDepth) === end) {
      sink.validEvent(index, bytes, start, end, located.read(fastValidator.results, 0, bytes));
    } else if (nestsDeeper(bytes, start, end, maxDepth)) {
      if (isJson(bytes, start, end)) emitText(index, bytes, start, end, this.#bounds, sink);
      else sink.rejectEvent(index, 'invalid_json', jsonMessage(bytes, start), bytes, start, end);
    } else if (this.#broken && !isJson(bytes, start, end)) {
      sink.rejectEvent(index, 'invalid_json', jsonMessage(bytes, start), bytes, start, end);
    } else {
      this.#broken = !parseLine(index, bytes, start, end, this.#bounds, sink) || this.#broken;
    }
  }
}

/** Parses a line and emits or rejects it. @returns whether it is JSON */
function parseLine(
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
    sink.rejectEvent(index, 'invalid_json', syntaxMessage(error, bytes, start), bytes, start, end);
    return false;
  }
  emitValue(index, value, bytes, start, end, bounds, sink);
  return true;
}

/**
 * Whether text is NDJSON: its first line, from `start` on, is JSON and other lines follow. The
 * whole text is then not JSON and need not be parsed.
 */
export function isLines(bytes: Buffer, start: number): boolean {
  const end = lineEnd(bytes, start);
  if (skipBlank(bytes, end) === bytes.length) return false;
  return isJson(bytes, start, trimmedEnd(bytes, start, end));
}

/** Whether there are more than `max` lines, checked before the first event is emitted. */
export function exceedsLines(bytes: Buffer, max: number): boolean {
  return countLines(bytes, max) === undefined;
}

/** Counts the lines that are not blank. */
export const countLines: EventCounter = (bytes, eventsMax) => {
  let lines = 0;
  let start = skipBlank(bytes, 0);
  while (start < bytes.length) {
    if (lines === eventsMax) return undefined;
    lines++;
    start = skipBlank(bytes, lineEnd(bytes, start));
  }
  return lines;
};

/** Returns the offset of the next line feed from `start` on, or of the end. */
export function lineEnd(bytes: Buffer, start: number): number {
  const found = bytes.indexOf(LINE_FEED, start);
  return found === -1 ? bytes.length : found;
}

/** Rejects bytes that are not UTF-8, as one event. @returns 1 */
export function rejectEncoding(bytes: Buffer, sink: EventSink): number {
  sink.rejectFrame('invalid_utf8', encodingMessage(bytes, 0), bytes);
  return 1;
}

/** Rejects text from `start` on that is not JSON, as one event. @returns 1 */
export function rejectText(bytes: Buffer, start: number, sink: EventSink): number {
  sink.rejectFrame('invalid_json', jsonMessage(bytes, start), bytes);
  return 1;
}

function encodingMessage(bytes: Buffer, start: number): string {
  return withMark(EVENT_CODES.invalid_utf8.text, bytes, start);
}

function jsonMessage(bytes: Buffer, start: number): string {
  return withMark(EVENT_CODES.invalid_json.text, bytes, start);
}

/** Adds a byte order mark as the reason: editors and libraries that write it do not show it. */
function withMark(text: string, bytes: Buffer, start: number): string {
  const mark = byteOrderMark(bytes, start);
  return mark === undefined ? text : `${text}: it begins with ${mark}`;
}

/**
 * Extracts the position from an error of V8. Its messages differ between Node.js versions and quote
 * the input; only the end of the message, which never contains quoted input, is used.
 */
function syntaxMessage(error: unknown, bytes: Buffer, start: number): string {
  if (byteOrderMark(bytes, start) !== undefined) return jsonMessage(bytes, start);
  const { message } = error as SyntaxError;
  if (message === 'Unexpected end of JSON input') return 'not valid JSON: unexpected end of input';
  const position = / at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message)?.[1];
  return position === undefined ? 'not valid JSON' : `not valid JSON at position ${position}`;
}

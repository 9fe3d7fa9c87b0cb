/**
 * Time that the most expensive frames block the event loop: per byte, as a multiple of the cost of
 * ordinary events that are parsed and validated, as with a custom schema. The two are measured in
 * turn, so that the machine's speed does not matter; as CPU time, which other processes do not
 * affect; and as the median, since the compiler and the garbage collector run occasionally.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventSink } from '../../../src/worker/decoder/event-sink.ts';
import { decodeText } from '../../../src/worker/decoder/json/text.ts';
import type { FastValidator } from '../../../src/worker/decoder/kernel/fast-validator.ts';
import { decodeMsgpack } from '../../../src/worker/decoder/msgpack/msgpack.ts';
import { loadValidator } from '../../../src/worker/intake/validator.ts';
import { BOUNDS, FAST_VALIDATOR } from './recorder.ts';

const FRAME_BYTES = 65_536;
/** Measured: up to 5 for text, up to 13 for MessagePack, whose bytes become up to 3 of JSON. */
const TIMES_MAX = 30;
const [WARM_UPS, RUNS] = [5, 15];

type Decode = typeof decodeText;

const validate = loadValidator(undefined);

/** Validates as the intake does, without the later stages. */
class Sink implements EventSink {
  readonly fastValidator: FastValidator | undefined;
  calls = 0;
  constructor(fastValidator: FastValidator | undefined) {
    this.fastValidator = fastValidator;
  }
  event(_index: number, value: { readonly [field: string]: unknown }): void {
    validate(value);
    this.calls++;
  }
  validEvent(): void {
    this.calls++;
  }
  rejectEvent(): void {
    this.calls++;
  }
  rejectFrame(): void {
    this.calls++;
  }
}

/** Fills a frame with a piece between `before` and `after`. */
function filled(before: string, piece: string, after: string): Buffer {
  const room = FRAME_BYTES - Buffer.byteLength(before + after);
  const pieces = piece.repeat(Math.floor(room / Buffer.byteLength(piece)));
  return Buffer.from(`${before}${pieces}${after}`);
}

/** Fills a frame with nested pieces. */
function nested(open: string, close: string): Buffer {
  const levels = Math.floor((FRAME_BYTES - 10) / (open.length + close.length));
  return Buffer.from(`{"a":${open.repeat(levels)}1${close.repeat(levels)}}`);
}

/** A frame of many events of maximum depth. */
function deepest(open: string, close: string): Buffer {
  const levels = BOUNDS.maxDepth - 1;
  const nest = `{"a":${open.repeat(levels)}1${close.repeat(levels)}},`;
  const events = Math.min(BOUNDS.maxEvents, Math.floor((FRAME_BYTES - 3) / nest.length));
  return Buffer.from(`[${nest.repeat(events).slice(0, -1)}]`);
}

const EVENT = {
  msg: 'An event of some length, as clients send them',
  clientId: 'browser-1234',
  timestamp: 1_700_000_000_000,
  path: '/products/42',
  tags: ['new', 'sale'],
  size: { width: 1280, height: 720 },
};
const ORDINARY = filled('[', `${JSON.stringify(EVENT)},`, `${JSON.stringify(EVENT)}]`);

const TEXTS: Readonly<Record<string, Buffer>> = {
  'nested arrays': nested('[', ']'),
  'nested objects': nested('{"a":', '}'),
  'unclosed nested arrays': Buffer.alloc(FRAME_BYTES, '['),
  'nested arrays of maximum depth': deepest('[', ']'),
  'nested objects of maximum depth': deepest('{"a":', '}'),
  'nested arrays of maximum depth, in one event': filled(
    '{"a":[',
    `${'['.repeat(BOUNDS.maxDepth - 2)}${']'.repeat(BOUNDS.maxDepth - 2)},`,
    '1]}',
  ),
  'empty objects': filled('{"a":[', '{},', '1]}'),
  'empty objects, and an error at the end': filled('{"a":[', '{},', '1]'),
  'empty arrays': filled('{"a":[', '[],', '1]}'),
  'short numbers': filled('{"a":[', '1,', '1]}'),
  'long numbers': filled('{"a":[', '1.2345678901234567e-307,', '1]}'),
  escapes: filled('{"a":"', '\\u00e9', '"}'),
  'different names': Buffer.from(
    `{${Array.from({ length: 6_500 }, (_, index) => `"${10_000 + index}":1`).join(',')}}`,
  ),
  'the same name': filled('{', '"a":1,', '"a":1}'),
  'broken lines': filled('{}\n', `${'{"a":'.repeat(13)}\n`, ''),
  'maximum number of events, all invalid': Buffer.from(
    `[${new Array(BOUNDS.maxEvents).fill(`{"msg":[${'{},'.repeat(17)}1]}`).join(',')}]`,
  ),
};

/** A map with an array 16 of a value, as many as fit into a frame, or into its JSON. */
function arrayOf(value: readonly number[], jsonBytes: number): Buffer {
  const room = Math.floor((FRAME_BYTES - 10) / Math.max(value.length, jsonBytes));
  const head = Buffer.from([0x81, 0xa1, 0x61, 0xdc, room >> 8, room & 0xff]);
  return Buffer.concat([head, Buffer.alloc(room * value.length, Buffer.from(value))]);
}

const FLOAT = [0xcb, 0x80, 0x0d, 0xda, 0x1f, 0x5b, 0xe4, 0x37, 0x1a];
const MANY_FLOATS = Buffer.concat([
  Buffer.from([0xdc, 0x03, 0xe8]),
  Buffer.alloc(1_000 * 57, Buffer.from([0x98, ...new Array(6).fill(FLOAT).flat(), 0xc0, 0xc0])),
]);

const MESSAGES: Readonly<Record<string, Buffer>> = {
  'nested arrays': Buffer.concat([
    Buffer.from([0x81, 0xa1, 0x61]),
    Buffer.alloc(FRAME_BYTES / 2 - 10, 0x91),
    Buffer.from([1]),
  ]),
  'unclosed nested arrays': Buffer.alloc(FRAME_BYTES, 0x91),
  'nested maps': Buffer.concat([
    Buffer.alloc(FRAME_BYTES - 4, Buffer.from([0x81, 0xa0])),
    Buffer.from([1]),
  ]),
  'nested arrays of maximum depth': Buffer.concat([
    Buffer.from([0xdc, 0x03, 0xe8]),
    ...new Array(1_000).fill(
      Buffer.concat([Buffer.from([0x81, 0xa0]), Buffer.alloc(62, 0x91), Buffer.from([0xc0])]),
    ),
  ]),
  'empty maps': arrayOf([0x80], 3),
  'empty maps, too long as JSON': arrayOf([0x80], 1),
  floats: arrayOf(FLOAT, 25),
  'floats, too long as JSON': arrayOf(FLOAT, 1),
  'floats in 1,000 elements': MANY_FLOATS,
  'short strings': arrayOf([0xa2, 0xc3, 0xa9], 5),
  'control characters': arrayOf([0xa1, 0x01], 9),
  integers: arrayOf([0xcf, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 17),
};

/** CPU time of decoding a frame, ms. */
function decodeMs(decode: Decode, frame: Buffer, sink: Sink): number {
  const before = process.cpuUsage();
  decode(frame, BOUNDS, sink);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** Cost per byte of a frame, as a multiple of the ordinary one. */
function timesOrdinary(
  decode: Decode,
  frame: Buffer,
  fastValidator: FastValidator | undefined,
): number {
  const [sink, plain] = [new Sink(fastValidator), new Sink(undefined)];
  const [costs, ordinary]: [number[], number[]] = [[], []];
  for (let run = 0; run < WARM_UPS + RUNS; run++) {
    const cost = decodeMs(decode, frame, sink) / frame.length;
    const other = decodeMs(decodeText, ORDINARY, plain) / ORDINARY.length;
    if (run < WARM_UPS) continue;
    costs.push(cost);
    ordinary.push(other);
  }
  assert(sink.calls > 0, 'events were emitted');
  return median(costs) / median(ordinary);
}

for (const [kind, decode, frames] of [
  ['text', decodeText, TEXTS],
  ['MessagePack', decodeMsgpack, MESSAGES],
] as const) {
  for (const [schema, fastValidator] of [
    ['the built-in schema', FAST_VALIDATOR],
    ['a custom schema', undefined],
  ] as const) {
    test(`the most expensive frames of ${kind} cost a few times as much as ordinary ones: ${schema}`, (t) => {
      for (const [name, frame] of Object.entries(frames)) {
        assert(frame.length <= FRAME_BYTES, `${name}: ${frame.length} bytes`);
        const times = timesOrdinary(decode, frame, fastValidator);
        t.diagnostic(`${name}: ${times.toFixed(1)} times`);
        assert(times <= TIMES_MAX, `${name}: ${times} times`);
      }
    });
  }
}

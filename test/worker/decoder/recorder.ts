import assert from 'node:assert/strict';
import type { EventCode } from '../../../src/common/errors.ts';
import type { JsonObject } from '../../../src/common/json-object.ts';
import type { DecodeBounds } from '../../../src/worker/decoder/decode-bounds.ts';
import type { EventSink } from '../../../src/worker/decoder/event-sink.ts';
import type { FastValidator } from '../../../src/worker/decoder/kernel/fast-validator.ts';
import { builtInValidator } from '../../support/fast-validators.ts';

export const BOUNDS: DecodeBounds = { maxEvents: 1_000, maxEventBytes: 65_536, maxDepth: 64 };
/** Fast validator of the built-in schema. */
export const FAST_VALIDATOR = builtInValidator('clientId');

type Decoder = (bytes: Buffer, bounds: DecodeBounds, sink: EventSink) => number;

export interface Decoded {
  readonly received: number;
  /** The bytes of the event as text, or its code, at the event's index. */
  readonly outcomes: (string | EventCode)[];
  readonly values: JsonObject[];
  /** Keys of the events accepted by the fast validator. */
  readonly keys: (string | undefined)[];
  readonly messages: string[];
  readonly frame: EventCode | undefined;
}

/** Runs a decoder and checks its invariants: indexes in order, a rejected frame without events. */
export function decode(
  decoder: Decoder,
  input: string | Buffer,
  bounds = BOUNDS,
  fastValidator?: FastValidator,
): Decoded {
  const outcomes: string[] = [];
  const values: JsonObject[] = [];
  const messages: string[] = [];
  const keys: (string | undefined)[] = [];
  let frame: EventCode | undefined;
  const received = decoder(Buffer.from(input), bounds, {
    event(index, value, bytes, start, end) {
      assert.equal(index, outcomes.length);
      assert.equal(frame, undefined);
      outcomes.push(bytes.toString('utf8', start, end));
      values.push(value);
    },
    fastValidator,
    validEvent(index, bytes, start, end, { keyStart, keyBytes }) {
      assert.equal(index, outcomes.length);
      assert.equal(frame, undefined);
      outcomes.push(bytes.toString('utf8', start, end));
      const key = bytes.toString('utf8', keyStart, keyStart + keyBytes);
      keys.push(keyBytes < 0 ? undefined : key);
    },
    rejectEvent(index, code, message) {
      assert.equal(index, outcomes.length);
      assert.equal(frame, undefined);
      outcomes.push(code);
      messages.push(message);
    },
    rejectFrame(code, message) {
      assert.equal(frame, undefined);
      assert.equal(outcomes.length, 0);
      frame = code;
      messages.push(message);
    },
  });
  assert.equal(received, frame === undefined ? outcomes.length : 1);
  return { received, outcomes, values, keys, messages, frame };
}

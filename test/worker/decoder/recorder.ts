import assert from 'node:assert/strict';
import type { EventCode } from '../../../src/common/errors.ts';
import type { JsonObject } from '../../../src/common/json-object.ts';
import type { DecodeBounds, EventSink } from '../../../src/worker/decoder/event-sink.ts';
import type { Sieve } from '../../../src/worker/decoder/json/fast-validator.ts';
import { loadSieve } from '../../../src/worker/intake/validator.ts';

export const BOUNDS: DecodeBounds = { maxEvents: 1_000, maxEventBytes: 65_536, maxDepth: 64 };
/** Lets through events of the built-in schema. */
export const SIEVE = loadSieve(undefined, 'clientId')!;

type Decoder = (bytes: Buffer, bounds: DecodeBounds, sink: EventSink) => number;

export interface Decoded {
  readonly received: number;
  /** The bytes of the event as text, or its code, at the event's index. */
  readonly outcomes: (string | EventCode)[];
  readonly values: JsonObject[];
  /** Keys of those that the sieve let through. */
  readonly known: (string | undefined)[];
  readonly messages: string[];
  readonly frame: EventCode | undefined;
}

/** Runs a decoder and demands what each must keep: indexes in order, a refused frame alone. */
export function decode(
  decoder: Decoder,
  input: string | Buffer,
  bounds = BOUNDS,
  sieve?: Sieve,
): Decoded {
  const outcomes: string[] = [];
  const values: JsonObject[] = [];
  const messages: string[] = [];
  const known: (string | undefined)[] = [];
  let frame: EventCode | undefined;
  const received = decoder(Buffer.from(input), bounds, {
    event(index, value, bytes, start, end) {
      assert.equal(index, outcomes.length);
      assert.equal(frame, undefined);
      outcomes.push(bytes.toString('utf8', start, end));
      values.push(value);
    },
    sieve,
    known(index, bytes, start, end, keyStart, keyBytes) {
      assert.equal(index, outcomes.length);
      assert.equal(frame, undefined);
      outcomes.push(bytes.toString('utf8', start, end));
      const key = bytes.toString('utf8', keyStart, keyStart + keyBytes);
      known.push(keyBytes < 0 ? undefined : key);
    },
    refuseEvent(index, code, message) {
      assert.equal(index, outcomes.length);
      assert.equal(frame, undefined);
      outcomes.push(code);
      messages.push(message);
    },
    refuseFrame(code, message) {
      assert.equal(frame, undefined);
      assert.equal(outcomes.length, 0);
      frame = code;
      messages.push(message);
    },
  });
  assert.equal(received, frame === undefined ? outcomes.length : 1);
  return { received, outcomes, values, known, messages, frame };
}

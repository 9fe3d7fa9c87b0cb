import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, LIMITS, MIB } from '../../../../src/config/limits.ts';
import type { DecodeBounds } from '../../../../src/worker/decoder/decode-bounds.ts';
import type { Slice } from '../../../../src/worker/decoder/json/sliced-array.ts';
import {
  type SlicedDecoder,
  sliceNdjson,
  sliceTextBody,
} from '../../../../src/worker/decoder/json/slices.ts';
import { decodeNdjson, decodeTextBody } from '../../../../src/worker/decoder/json/text.ts';
import type { FastValidator } from '../../../../src/worker/decoder/kernel/fast-validator.ts';
import { jsonText } from '../json-text.ts';
import { type Decoded, decode, FAST_VALIDATOR } from '../recorder.ts';

const FORMS = [
  [sliceTextBody, decodeTextBody],
  [sliceNdjson, decodeNdjson],
] as const;
const TINY: Slice = { sliceBytes: 1, sliceEvents: 1 };

interface Sliced extends Decoded {
  /** Events per slice. */
  readonly slices: readonly number[];
}

function inSlices(
  decoder: SlicedDecoder,
  input: string | Buffer,
  bounds: DecodeBounds,
  fastValidator?: FastValidator,
  slice?: Slice,
): Sliced {
  const slices: number[] = [];
  const whole = (...args: Parameters<typeof decodeNdjson>) => {
    slices.push(...decoder(...args, slice));
    return slices.reduce((sum, events) => sum + events, 0);
  };
  return { ...decode(whole, input, bounds, fastValidator), slices };
}

/** Asserts the same result for slices of any size as for decoding at once. */
function assertSame(input: string | Buffer, bounds: DecodeBounds): void {
  for (const [sliced, atOnce] of FORMS) {
    for (const fastValidator of [undefined, FAST_VALIDATOR]) {
      const expected = decode(atOnce, input, bounds, fastValidator);
      for (const slice of [TINY, { sliceBytes: 7, sliceEvents: 2 }, LIMITS]) {
        const found = inSlices(sliced, input, bounds, fastValidator, slice);
        const { received, outcomes, frame } = found;
        assert.deepEqual(
          { received, outcomes, frame },
          { received: expected.received, outcomes: expected.outcomes, frame: expected.frame },
        );
        // Decoding at once uses the fast path for all or none, slices use it per event.
        const keys = [...found.keys, ...found.values.map(({ clientId }) => clientId)];
        const before = [...expected.keys, ...expected.values.map(({ clientId }) => clientId)];
        assert.deepEqual(keys.sort(), before.sort());
      }
    }
  }
}

const good = (id: number) => `{"msg":"${id}","clientId":"c${id}","timestamp":${id}}`;
const event = fc.oneof(
  { weight: 3, arbitrary: fc.nat(99).map(good) },
  { weight: 1, arbitrary: jsonText.line() },
);
/** Text that may or may not break JSON. */
const PIECES = [...'{}[]:,"\\1 \n', '{}', '""', 'null', '\\u00'];

test('arrays and lines, valid and broken: decoding in slices and at once agree', () => {
  const spoilt = fc.record({
    at: fc.nat(200),
    removed: fc.nat(2),
    added: fc.constantFrom(...PIECES),
  });
  const bounds = { maxEvents: 6, maxEventBytes: 42, maxDepth: 2 };
  fc.assert(
    fc.property(
      fc.array(event, { maxLength: 7 }),
      jsonText.blank(),
      fc.constantFrom('[', '', ' \n'),
      fc.array(spoilt, { maxLength: 1 }),
      (events, blank, open, spoils) => {
        const joined = events.join(open === '[' ? `${blank},${blank}` : `${blank}\n`);
        let body = `${blank}${open}${joined}${open === '[' ? ']' : ''}${blank}`;
        for (const { at, removed, added } of spoils) {
          const place = at % (body.length + 1);
          body = body.slice(0, place) + added + body.slice(place + removed);
        }
        assertSame(Buffer.from(body), bounds);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('bytes that are not UTF-8 reject the body, or their line of NDJSON', () => {
  const bad = Buffer.concat([Buffer.from(`${good(1)}\n"`), Buffer.from([0xc3]), Buffer.from('"')]);
  assertSame(bad, { maxEvents: 6, maxEventBytes: 100, maxDepth: 64 });
});

test('one value over the maximum length is too_large, or invalid_json', () => {
  const bounds = { maxEvents: 6, maxEventBytes: 20, maxDepth: 64 };
  for (const text of [`{"a":\n"${'x'.repeat(20)}"}`, `{"a":\n"${'x'.repeat(20)}"`, `${good(1)}x`]) {
    assertSame(text, bounds);
  }
});

test('a message has the position of an error in an array and never quotes the text', () => {
  const messages = (text: string) => inSlices(sliceTextBody, text, BODY, FAST_VALIDATOR).messages;
  assert.deepEqual(messages(`[${good(1)}, {"secret"}]`), [
    `not valid JSON in event 1, which begins at byte ${good(1).length + 3}`,
  ]);
  assert.deepEqual(messages('[{} secret]'), ['not valid JSON at byte 4']);
});

const BODY: DecodeBounds = { maxEvents: LIMITS.bodyEvents, maxEventBytes: 64 * KIB, maxDepth: 64 };

/** Bodies that block the event loop longest if decoded at once. */
const WORST: Readonly<Record<string, string>> = {
  'unclosed brackets': '['.repeat(MIB),
  'an array in an array in an array': '['.repeat(MIB / 2) + ']'.repeat(MIB / 2),
  'objects in objects': '{"a":'.repeat(MIB / 6) + 1 + '}'.repeat(MIB / 6),
  'lines after a long first one': `[${'[],'.repeat(MIB / 3 - 10)}1]\n{}`,
  'deep events': `[${Array(15).fill(deep(65_000)).join(',')}]`,
  'more numbers than the maximum': `[${'1,'.repeat(MIB / 2 - 2)}1]`,
};
function deep(bytes: number): string {
  return `{"a":${'['.repeat(bytes / 2 - 3)}${']'.repeat(bytes / 2 - 3)}}`;
}

test('the worst bodies are decoded in slices, each of limited length', () => {
  for (const [name, text] of Object.entries(WORST)) {
    const { slices, received } = inSlices(sliceTextBody, text, BODY, FAST_VALIDATOR);
    const least = Math.floor(text.length / (LIMITS.sliceBytes + BODY.maxEventBytes));
    assert(slices.length >= least, `${name}: ${slices.length} slices`);
    assert.equal(
      slices.reduce((sum, events) => sum + events, 0),
      received,
    );
  }
});

test('10,000 events: no slice emits more than its share', () => {
  for (const events of [
    Array(10_000).fill('{}'),
    Array.from({ length: 10_000 }, (_, n) => good(n)),
  ]) {
    const { slices } = inSlices(sliceTextBody, `[${events.join(',')}]`, BODY, FAST_VALIDATOR);
    assert.equal(Math.max(...slices) <= LIMITS.sliceEvents, true, 'in an array');
    const lines = inSlices(sliceNdjson, events.join('\n'), BODY, FAST_VALIDATOR).slices;
    assert.equal(Math.max(...lines) <= LIMITS.sliceEvents, true, 'in lines');
  }
});

test('a byte order mark is reported in slices as at once', () => {
  const event = `{"msg":"${'m'.repeat(100)}"}`;
  const events = Array.from({ length: 600 }, () => event);
  const long = `{"msg":"${'m'.repeat(90 * KIB)}"}`;
  const bounds = { maxEvents: 1_000, maxEventBytes: 64 * KIB, maxDepth: 64 };
  for (const rest of [event, `[${events}]`, events.join('\n'), long]) {
    const { frame, messages } = inSlices(sliceTextBody, `\ufeff${rest}`, bounds);
    const expected = 'not valid JSON: it begins with a byte order mark (UTF-8)';
    assert.deepEqual([frame, messages], ['invalid_json', [expected]]);
    const wide = inSlices(sliceTextBody, Buffer.from(`\ufeff${rest}`, 'utf16le'), bounds);
    assert.equal(wide.frame, 'invalid_utf8');
    assert.match(wide.messages[0]!, /: it begins with a byte order mark \(UTF-16\)$/);
  }
  const lines = inSlices(sliceNdjson, `\ufeff${events.join('\n')}`, bounds, FAST_VALIDATOR);
  assert.equal(lines.outcomes[0], 'invalid_json');
  assert.match(lines.messages[0]!, /: it begins with a byte order mark \(UTF-8\)$/);
  assert.deepEqual(lines.outcomes.slice(1), events.slice(1));
});

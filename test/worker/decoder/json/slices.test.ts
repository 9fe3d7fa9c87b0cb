import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KIB, LIMITS, MIB } from '../../../../src/config/limits.ts';
import type { DecodeBounds } from '../../../../src/worker/decoder/event-sink.ts';
import type { Sieve } from '../../../../src/worker/decoder/json/fast-validator.ts';
import type { Slice } from '../../../../src/worker/decoder/json/sliced-array.ts';
import {
  type SlicedDecoder,
  sliceNdjson,
  sliceTextBody,
} from '../../../../src/worker/decoder/json/slices.ts';
import { decodeNdjson, decodeTextBody } from '../../../../src/worker/decoder/json/text.ts';
import { jsonText } from '../json-text.ts';
import { type Decoded, decode, SIEVE } from '../recorder.ts';

const FORMS = [
  [sliceTextBody, decodeTextBody],
  [sliceNdjson, decodeNdjson],
] as const;
const TINY: Slice = { sliceBytes: 1, sliceEvents: 1 };

interface Sliced extends Decoded {
  /** Events that each slice received. */
  readonly slices: readonly number[];
}

function inSlices(
  decoder: SlicedDecoder,
  input: string | Buffer,
  bounds: DecodeBounds,
  sieve?: Sieve,
  slice?: Slice,
): Sliced {
  const slices: number[] = [];
  const whole = (...args: Parameters<typeof decodeNdjson>) => {
    slices.push(...decoder(...args, slice));
    return slices.reduce((sum, events) => sum + events, 0);
  };
  return { ...decode(whole, input, bounds, sieve), slices };
}

/** Demands of any slices what is made of the body in one go. */
function assertSame(input: string | Buffer, bounds: DecodeBounds): void {
  for (const [sliced, atOnce] of FORMS) {
    for (const sieve of [undefined, SIEVE]) {
      const expected = decode(atOnce, input, bounds, sieve);
      for (const slice of [TINY, { sliceBytes: 7, sliceEvents: 2 }, LIMITS]) {
        const found = inSlices(sliced, input, bounds, sieve, slice);
        const { received, outcomes, frame } = found;
        assert.deepEqual(
          { received, outcomes, frame },
          { received: expected.received, outcomes: expected.outcomes, frame: expected.frame },
        );
        // Where all were let through at once, slices let each through that can be.
        const keys = [...found.known, ...found.values.map(({ clientId }) => clientId)];
        const before = [...expected.known, ...expected.values.map(({ clientId }) => clientId)];
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
/** What spoils JSON, or does not. */
const PIECES = [...'{}[]:,"\\1 \n', '{}', '""', 'null', '\\u00'];

test('arrays and lines, whole and spoilt: slices of any size come to what one go comes to', () => {
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

test('bytes that are not UTF-8 refuse the body, or their line of NDJSON', () => {
  const bad = Buffer.concat([Buffer.from(`${good(1)}\n"`), Buffer.from([0xc3]), Buffer.from('"')]);
  assertSame(bad, { maxEvents: 6, maxEventBytes: 100, maxDepth: 64 });
});

test('one value: over the bound of an event it is too_large, or invalid_json', () => {
  const bounds = { maxEvents: 6, maxEventBytes: 20, maxDepth: 64 };
  for (const text of [`{"a":\n"${'x'.repeat(20)}"}`, `{"a":\n"${'x'.repeat(20)}"`, `${good(1)}x`]) {
    assertSame(text, bounds);
  }
});

test('a message tells about where an array breaks, and never quotes it', () => {
  const said = (text: string) => inSlices(sliceTextBody, text, BODY, SIEVE).messages;
  assert.deepEqual(said(`[${good(1)}, {"secret"}]`), [
    `not valid JSON in event 1, from byte ${good(1).length + 3} on`,
  ]);
  assert.deepEqual(said('[{} secret]'), ['not valid JSON at byte 4']);
});

const BODY: DecodeBounds = { maxEvents: LIMITS.bodyEvents, maxEventBytes: 64 * KIB, maxDepth: 64 };

/** Bodies that hold the loop longest when they are taken apart in one go. */
const WORST: Readonly<Record<string, string>> = {
  'brackets that are not closed': '['.repeat(MIB),
  'an array in an array in an array': '['.repeat(MIB / 2) + ']'.repeat(MIB / 2),
  'objects in objects': '{"a":'.repeat(MIB / 6) + 1 + '}'.repeat(MIB / 6),
  'lines behind a long first one': `[${'[],'.repeat(MIB / 3 - 10)}1]\n{}`,
  'deep events': `[${Array(15).fill(deep(65_000)).join(',')}]`,
  'numbers beyond the count': `[${'1,'.repeat(MIB / 2 - 2)}1]`,
};
function deep(bytes: number): string {
  return `{"a":${'['.repeat(bytes / 2 - 3)}${']'.repeat(bytes / 2 - 3)}}`;
}

test('the worst bodies are cut: each slice reads a slice or an event, not all of it', () => {
  for (const [name, text] of Object.entries(WORST)) {
    const { slices, received } = inSlices(sliceTextBody, text, BODY, SIEVE);
    const least = Math.floor(text.length / (LIMITS.sliceBytes + BODY.maxEventBytes));
    assert(slices.length >= least, `${name}: ${slices.length} slices`);
    assert.equal(
      slices.reduce((sum, events) => sum + events, 0),
      received,
    );
  }
});

test('ten thousand events: no slice hands on more than its share', () => {
  for (const events of [
    Array(10_000).fill('{}'),
    Array.from({ length: 10_000 }, (_, n) => good(n)),
  ]) {
    const { slices } = inSlices(sliceTextBody, `[${events.join(',')}]`, BODY, SIEVE);
    assert.equal(Math.max(...slices) <= LIMITS.sliceEvents, true, 'of an array');
    const lines = inSlices(sliceNdjson, events.join('\n'), BODY, SIEVE).slices;
    assert.equal(Math.max(...lines) <= LIMITS.sliceEvents, true, 'of lines');
  }
});

test('a byte order mark is named in slices as it is in one go', () => {
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
  const lines = inSlices(sliceNdjson, `\ufeff${events.join('\n')}`, bounds, SIEVE);
  assert.equal(lines.outcomes[0], 'invalid_json');
  assert.match(lines.messages[0]!, /: it begins with a byte order mark \(UTF-8\)$/);
  assert.deepEqual(lines.outcomes.slice(1), events.slice(1));
});

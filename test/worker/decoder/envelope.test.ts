/** Frames of valid and invalid events with any white space, compared with a simple reference. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeNdjson, decodeText, decodeTextBody } from '../../../src/worker/decoder/json/text.ts';
import { jsonText } from './json-text.ts';
import { type Decoded, decode, FAST_VALIDATOR } from './recorder.ts';

const BOUNDS = { maxEvents: 6, maxEventBytes: 120, maxDepth: 64 };

/** An event, element or line, with its expected outcome: its bytes or a code. */
interface Item {
  readonly bytes: Buffer;
  readonly outcome: string;
}

/** JSON of any kind, including values that are too long for an event. */
const json = jsonText.line().map((text): Item => {
  const value: unknown = JSON.parse(text);
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const bytes = Buffer.from(text);
  if (bytes.length > BOUNDS.maxEventBytes) return { bytes, outcome: 'too_large' };
  return { bytes, outcome: isObject ? text : 'not_an_object' };
});
const object = fc
  .record({ a: fc.string({ maxLength: 150 }), b: fc.jsonValue({ maxDepth: 2 }) })
  .map((value): Item => {
    const text = JSON.stringify(value);
    const bytes = Buffer.from(text);
    return { bytes, outcome: bytes.length > BOUNDS.maxEventBytes ? 'too_large' : text };
  });
/** An event of the built-in schema, which the fast validator accepts. */
const schemaEvent = fc
  .record({ msg: fc.string({ maxLength: 20 }), clientId: fc.string(), timestamp: fc.nat() })
  .map((value): Item => {
    const text = JSON.stringify(value);
    const bytes = Buffer.from(text);
    return { bytes, outcome: bytes.length > BOUNDS.maxEventBytes ? 'too_large' : text };
  });
const good = fc.oneof(json, object, schemaEvent);
/** Text that no continuation turns into JSON. */
const broken = fc
  .constantFrom(
    '{"a":}',
    '{"a":1,}',
    'nonsense',
    '}',
    '{"a" 1}',
    "{'a':1}",
    '"\u0001"',
    '1 2',
    '{}x',
  )
  .map((text): Item => ({ bytes: Buffer.from(text), outcome: 'invalid_json' }));
const notUtf8 = fc
  .constantFrom([0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xc0, 0xaf])
  .map((wrong): Item => {
    const bytes = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(wrong), Buffer.from('"}')]);
    return { bytes, outcome: 'invalid_utf8' };
  });

interface Expected {
  readonly frame?: string;
  readonly outcomes?: readonly string[];
}

/** Asserts the outcome with and without the fast validator. */
function assertOutcome(
  decoder: Parameters<typeof decode>[0],
  bytes: Buffer,
  { frame, outcomes = [] }: Expected,
): void {
  for (const fastValidator of [undefined, FAST_VALIDATOR]) {
    const found: Decoded = decode(decoder, bytes, BOUNDS, fastValidator);
    assert.equal(found.frame, frame, JSON.stringify(bytes.toString()));
    assert.deepEqual(found.outcomes, outcomes, JSON.stringify(bytes.toString()));
    assert.equal(found.received, frame === undefined ? outcomes.length : 1);
  }
}

/** Different white space at each position. */
const spaces = (lines: boolean) => fc.infiniteStream(jsonText.blank(lines));

function join(items: readonly Item[], separator: string, blank: Iterator<string>): Buffer {
  const space = () => Buffer.from(blank.next().value ?? '');
  return Buffer.concat(
    items.flatMap(({ bytes }, index) => {
      const between = index < items.length - 1 ? [Buffer.from(separator)] : [];
      return [space(), bytes, space(), ...between];
    }),
  );
}

function outcomesOf(items: readonly Item[]): string[] {
  return items.map(({ outcome }) => outcome);
}

test('arrays: each element has its own outcome; a broken element rejects the array', () => {
  const items = fc.array(fc.oneof({ weight: 12, arbitrary: good }, broken), { maxLength: 8 });
  const seen = { whole: 0, broken: 0, many: 0 };
  fc.assert(
    fc.property(items, spaces(true), (elements, blank) => {
      const space = Buffer.from(blank.next().value ?? '');
      const inside = join(elements, ',', blank);
      const frame = Buffer.concat([space, Buffer.from('['), inside, Buffer.from(']'), space]);
      let expected: Expected = { outcomes: outcomesOf(elements) };
      if (elements.some(({ outcome }) => outcome === 'invalid_json')) {
        expected = { frame: 'invalid_json' };
        seen.broken++;
      } else if (elements.length > BOUNDS.maxEvents) {
        expected = { frame: 'too_many_events' };
        seen.many++;
      } else seen.whole++;
      for (const decoder of [decodeText, decodeTextBody]) assertOutcome(decoder, frame, expected);
    }),
    { numRuns: 1_000 },
  );
  for (const [kind, times] of Object.entries(seen)) assert(times > 30, `${kind}: ${times}`);
});

test('lines: each has its own outcome; a broken first line rejects the frame as one event', () => {
  const item = fc.oneof({ weight: 6, arbitrary: good }, broken, notUtf8);
  const items = fc.array(item, { minLength: 2, maxLength: 8 });
  const seen = { lines: 0, broken: 0, many: 0, notUtf8: 0 };
  fc.assert(
    fc.property(items, spaces(false), (lines, blank) => {
      const frame = join(lines, '\n', blank);
      const isUtf8 = !lines.some(({ outcome }) => outcome === 'invalid_utf8');
      const isMany = lines.length > BOUNDS.maxEvents;
      const asLines = isMany ? { frame: 'too_many_events' } : { outcomes: outcomesOf(lines) };
      assertOutcome(decodeNdjson, frame, asLines);
      // In a frame the first line determines the format.
      const [first] = lines;
      if (first!.bytes[0] === 0x5b) return;
      if (!isUtf8) {
        seen.notUtf8++;
        return assertOutcome(decodeTextBody, frame, { frame: 'invalid_utf8' });
      }
      const isBroken = first!.outcome === 'invalid_json';
      seen[isBroken ? 'broken' : isMany ? 'many' : 'lines']++;
      const expected = isBroken ? { frame: 'invalid_json' } : asLines;
      for (const decoder of [decodeText, decodeTextBody]) assertOutcome(decoder, frame, expected);
    }),
    { numRuns: 1_000 },
  );
  for (const [kind, times] of Object.entries(seen)) assert(times > 30, `${kind}: ${times}`);
});

test('a single value with any white space around and in it', () => {
  fc.assert(
    fc.property(
      fc.oneof(object, schemaEvent, broken),
      fc.nat(4),
      spaces(true),
      (item, indent, blank) => {
        const isGood = item.outcome !== 'invalid_json';
        const text = isGood
          ? JSON.stringify(JSON.parse(item.bytes.toString()), undefined, indent)
          : item.bytes.toString();
        const bytes = Buffer.from(text);
        const frame = join([{ bytes, outcome: '' }], '', blank);
        const outcome = bytes.length > BOUNDS.maxEventBytes ? 'too_large' : text;
        const expected = isGood ? { outcomes: [outcome] } : { frame: 'invalid_json' };
        for (const decoder of [decodeText, decodeTextBody]) assertOutcome(decoder, frame, expected);
      },
    ),
    { numRuns: 500 },
  );
});

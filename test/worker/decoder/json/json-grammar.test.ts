import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isJson } from '../../../../src/worker/decoder/json/json-grammar.ts';
import { skipBlank, trimmedEnd } from '../../../../src/worker/decoder/json/json-scanner.ts';
import { decodeNdjson } from '../../../../src/worker/decoder/json/text.ts';
import { jsonText } from '../json-text.ts';
import { decode } from '../recorder.ts';

function isParsed(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Line ends, and next lines that look like a continuation. */
const AFTER = ['', ' ', '\n', ' \r\n}', '\n]', '\n1', '\n"', '\n,2]', '\n"a":1}', '\n[]'];

/** Result of isJson for a text, regardless of the text before and after its line. */
function isJsonLine(text: string): boolean {
  const results = AFTER.map((after) => {
    const bytes = Buffer.from(`{"a":\n[\n${text}${after}`);
    const start = 8 + skipBlank(Buffer.from(text), 0);
    const end = trimmedEnd(bytes, start, bytes.length - Buffer.byteLength(after));
    return isJson(bytes, start, end);
  });
  assert.equal(new Set(results).size, 1, JSON.stringify(text));
  return results[0]!;
}

function assertAgreement(text: string): void {
  assert.equal(isJsonLine(text), isParsed(text), JSON.stringify(text));
}

/** Fragments of JSON, and similar text. */
const PIECES = [
  ...'{}[]:,"\\-+019.e \t\n\r\v\u00a0\ufeff\0\u007f\u2028é😀',
  ...'"a" \\" \\u00e9 \\ud800 \\u00g0 \\x E+ 1.5 -0 1e400 true nul null false'.split(' '),
];
const piece = fc.constantFrom(...PIECES);

test('valid JSON is accepted, with white space around and in it', () => {
  fc.assert(
    fc.property(jsonText(), jsonText.blank(), jsonText.blank(), (text, before, after) => {
      assert(isJsonLine(before + text + after), text);
    }),
    { numRuns: 2_000 },
  );
});

test('mutated JSON: the result is that of JSON.parse', () => {
  const change = fc.record({ at: fc.nat(100), removed: fc.nat(3), added: piece });
  fc.assert(
    fc.property(jsonText(), fc.array(change, { minLength: 1, maxLength: 2 }), (text, changes) => {
      let changed = text;
      for (const { at, removed, added } of changes) {
        const place = at % (changed.length + 1);
        changed = changed.slice(0, place) + added + changed.slice(place + removed);
      }
      // Half an emoji becomes U+FFFD: the input is always UTF-8.
      assertAgreement(Buffer.from(changed).toString());
    }),
    { numRuns: 10_000 },
  );
});

test('fragments in any order: the result is that of JSON.parse', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 7 }), (pieces) => assertAgreement(pieces.join(''))),
    { numRuns: 20_000 },
  );
});

test('each single byte of ASCII, alone, in a string, after a backslash and after a digit', () => {
  for (let code = 0; code < 128; code++) {
    const byte = String.fromCharCode(code);
    for (const text of [byte, `"${byte}"`, `"\\${byte}"`, `1${byte}`, `"\\u00${byte}0"`]) {
      assertAgreement(text);
      assertAgreement(`{"a":[${text}]}`);
    }
  }
});

test('every proper prefix of a text is rejected, the whole text is accepted', () => {
  const whole = '{"\\u00e9\\n":[true,false,null,-0.5E+3,1e0,{},[],""],"é":{"b":[[1]]}}';
  for (let end = 0; end <= whole.length; end++) {
    assert.equal(isJsonLine(whole.slice(0, end)), end === whole.length, `${end}`);
  }
});

test('60,000 levels are read without recursion', () => {
  const [open, close] = ['[{"a":'.repeat(30_000), '}]'.repeat(30_000)];
  assert(isJsonLine(`${open}1${close}`));
  assert(!isJsonLine(`${open}1${close}]`));
  assert(!isJsonLine(open));
});

test('unfinished lines are read once each', () => {
  const bounds = { maxEvents: 100_000, maxEventBytes: 10, maxDepth: 64 };
  const opening = ['[', '{', '{"a":', '[1,', '[[', '"'];
  for (const line of opening) {
    const startMs = performance.now();
    const { outcomes } = decode(decodeNdjson, `${line}\n`.repeat(60_000), bounds);
    assert.equal(outcomes.length, 60_000);
    // Reading to the end of the text for each line would take over 10 s.
    assert(performance.now() - startMs < 2_000, line);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isJson } from '../../../../src/worker/decoder/json/json-grammar.ts';
import { skipBlank, trimmedEnd } from '../../../../src/worker/decoder/json/json-scanner.ts';
import { decodeNdjson } from '../../../../src/worker/decoder/json/text.ts';
import { jsonText } from '../json-text.ts';
import { decode } from '../recorder.ts';

function isTaken(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Ends of a line, and what may stand in the next one as if it went on. */
const AFTER = ['', ' ', '\n', ' \r\n}', '\n]', '\n1', '\n"', '\n,2]', '\n"a":1}', '\n[]'];

/** What is said of a text, whatever comes before and after its line. */
function said(text: string): boolean {
  const answers = AFTER.map((after) => {
    const bytes = Buffer.from(`{"a":\n[\n${text}${after}`);
    const start = 8 + skipBlank(Buffer.from(text), 0);
    const end = trimmedEnd(bytes, start, bytes.length - Buffer.byteLength(after));
    return isJson(bytes, start, end);
  });
  assert.equal(new Set(answers).size, 1, JSON.stringify(text));
  return answers[0]!;
}

function demandAgreement(text: string): void {
  assert.equal(said(text), isTaken(text), JSON.stringify(text));
}

/** What JSON is made of, and what comes near to it. */
const PIECES = [
  ...'{}[]:,"\\-+019.e \t\n\r\v\u00a0\ufeff\0\u007f\u2028é😀',
  ...'"a" \\" \\u00e9 \\ud800 \\u00g0 \\x E+ 1.5 -0 1e400 true nul null false'.split(' '),
];
const piece = fc.constantFrom(...PIECES);

test('any JSON is taken, with white space around it and in it', () => {
  fc.assert(
    fc.property(jsonText(), jsonText.blank(), jsonText.blank(), (text, before, after) => {
      assert(said(before + text + after), text);
    }),
    { numRuns: 2_000 },
  );
});

test('JSON with a piece put in, taken out or written over: the same is said as by JSON.parse', () => {
  const change = fc.record({ at: fc.nat(100), removed: fc.nat(3), added: piece });
  fc.assert(
    fc.property(jsonText(), fc.array(change, { minLength: 1, maxLength: 2 }), (text, changes) => {
      let changed = text;
      for (const { at, removed, added } of changes) {
        const place = at % (changed.length + 1);
        changed = changed.slice(0, place) + added + changed.slice(place + removed);
      }
      // Half an emoji becomes U+FFFD: text that is not UTF-8 does not come here.
      demandAgreement(Buffer.from(changed).toString());
    }),
    { numRuns: 10_000 },
  );
});

test('pieces in any order: the same is said as by JSON.parse', () => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 7 }), (pieces) => demandAgreement(pieces.join(''))),
    { numRuns: 20_000 },
  );
});

test('each single byte of ASCII, alone, in a string, after a backslash and after a digit', () => {
  for (let code = 0; code < 128; code++) {
    const byte = String.fromCharCode(code);
    for (const text of [byte, `"${byte}"`, `"\\${byte}"`, `1${byte}`, `"\\u00${byte}0"`]) {
      demandAgreement(text);
      demandAgreement(`{"a":[${text}]}`);
    }
  }
});

test('each beginning of a text that has everything is refused, and the whole is taken', () => {
  const whole = '{"\\u00e9\\n":[true,false,null,-0.5E+3,1e0,{},[],""],"é":{"b":[[1]]}}';
  for (let end = 0; end <= whole.length; end++) {
    assert.equal(said(whole.slice(0, end)), end === whole.length, `${end}`);
  }
});

test('sixty thousand levels are followed without recursion', () => {
  const [open, close] = ['[{"a":'.repeat(30_000), '}]'.repeat(30_000)];
  assert(said(`${open}1${close}`));
  assert(!said(`${open}1${close}]`));
  assert(!said(open));
});

test('lines that leave something open are each read once', () => {
  const bounds = { maxEvents: 100_000, maxEventBytes: 10, maxDepth: 64 };
  const opening = ['[', '{', '{"a":', '[1,', '[[', '"'];
  for (const line of opening) {
    const startMs = performance.now();
    const { outcomes } = decode(decodeNdjson, `${line}\n`.repeat(60_000), bounds);
    assert.equal(outcomes.length, 60_000);
    // To the end of the text for each line would be 10 s and more.
    assert(performance.now() - startMs < 2_000, line);
  }
});

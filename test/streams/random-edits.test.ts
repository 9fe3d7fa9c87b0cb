import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { STREAM_NAME } from '../../src/streams/stream-file.ts';
import { parse } from './support.ts';

const EXAMPLE = readFileSync(
  new URL('../../examples/streams/streams.yaml', import.meta.url),
  'utf8',
);

/** Pieces that change the structure of a document. */
const PIECES = [
  ...['\n', '\r\n', ' ', '\t', '  ', ': ', ', ', '- ', '? ', '#', '---\n', '...\n', '%YAML 1.1\n'],
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|\n',
    '>\n',
    '&x ',
    '*x',
    '<<: *x',
    '!t ',
    '\\u0000',
    '\\ud800',
  ],
  ...['null', 'true', '1', '-1', '1e999', '.nan', '~', '[]', '{}', 'none', 'refuse', '__proto__'],
  ...['version', 'streams', 'topic', 'match', 'key', 'routing', 'field', 'unknown', 'create'],
];

/** An edit: replaces `length` characters at a share of the text. */
const edit = fc.record({
  share: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.oneof(fc.constant(0), fc.nat(40)),
  text: fc.oneof(
    fc.array(fc.constantFrom(...PIECES), { maxLength: 4 }).map((pieces) => pieces.join('')),
    fc.string({ unit: 'binary', maxLength: 8 }),
    // A piece of the file itself, such as a property that exists twice afterwards.
    fc.tuple(fc.nat(EXAMPLE.length), fc.nat(80)).map(([at, size]) => EXAMPLE.slice(at, at + size)),
  ),
});

function edited(edits: readonly { share: number; length: number; text: string }[]): string {
  return edits.reduce((text, { share, length, text: added }) => {
    const at = Math.floor(share * text.length);
    return text.slice(0, at) + added + text.slice(at + length);
  }, EXAMPLE);
}

test('an edited file is either valid, or has errors at positions inside it', () => {
  const results = { valid: 0, invalid: 0 };
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
      const bytes = Buffer.from(edited(edits));
      const lines = bytes.toString().split('\n');
      const { file, errors, warnings } = parse(bytes);
      assert.equal(file === undefined, errors.length > 0);
      results[file === undefined ? 'invalid' : 'valid']++;
      for (const { line, column, message } of [...errors, ...warnings]) {
        assert(line >= 1 && line <= lines.length, `line ${line}: ${message}`);
        const { length } = lines[line - 1]!;
        assert(column >= 1 && column <= length + 1, `column ${column} of ${length}: ${message}`);
        assert.notEqual(message, '');
      }
      for (const { name, key, limits } of file?.streams ?? []) {
        assert.match(name, STREAM_NAME.pattern);
        assert(key.every((path) => path.length > 0 && !path.includes('')));
        assert(limits.bufferShare > 0 && limits.bufferShare <= 1);
      }
    }),
    { numRuns: 2_000 },
  );
  assert(results.valid > 20 && results.invalid > 200, JSON.stringify(results));
});

test('edited bytes never break the reading', () => {
  fc.assert(
    fc.property(fc.nat(EXAMPLE.length - 1), fc.uint8Array({ maxLength: 6 }), (at, added) => {
      const bytes = Buffer.from(EXAMPLE);
      bytes.set(added.subarray(0, bytes.length - at), at);
      const { file, errors } = parse(bytes);
      assert.equal(file === undefined, errors.length > 0);
    }),
    { numRuns: 500 },
  );
});

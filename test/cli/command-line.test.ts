import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PATH, readOptions, text, wholeNumber } from '../../src/cli/command-line.ts';

const OPTIONS = {
  size: wholeNumber(0, 2 ** 53 - 1),
  file: PATH,
  word: { ...text('a word'), multiple: true },
  quick: 'flag',
} as const;

const read = (...argv: string[]) => readOptions(argv, OPTIONS, (message) => new Error(message));
const messageOf = (...argv: string[]) => {
  try {
    return JSON.stringify(read(...argv));
  } catch (error) {
    return (error as Error).message;
  }
};

test('omitted options: undefined, an empty list, false', () => {
  const values = { size: undefined, file: undefined, word: [], quick: false };
  assert.deepEqual(read(), { values, positionals: [], help: false });
});

test('values after a space or =, flags, and arguments, in any order', () => {
  const { values, positionals } = read(
    'a',
    '--word',
    'x',
    '--quick',
    '--word=y=z',
    'b',
    '--size=7',
  );
  assert.deepEqual(values, { size: 7, file: undefined, word: ['x', 'y=z'], quick: true });
  assert.deepEqual(positionals, ['a', 'b']);
});

test('an integer at its bounds, and just beyond', () => {
  assert.equal(wholeNumber(0, 9).read('0'), 0);
  assert.equal(wholeNumber(1, 2 ** 53 - 1).read('9007199254740991'), 2 ** 53 - 1);
  for (const beyond of ['10', '-1', '00', '1 ', '１', '1_0', '0b1', 'Infinity', 'NaN', '']) {
    assert.equal(wholeNumber(0, 9).read(beyond), undefined, beyond);
  }
});

test('a long value is shown by its beginning and its length', () => {
  const shown = messageOf('--size', 'x'.repeat(5_000));
  assert.match(shown, /, not "x{100}"… \(5000 characters\)$/);
});

test('the next option is not taken for a value; after = it is', () => {
  assert.equal(messageOf('--file', '--quick'), `--file requires a value: ${PATH.expects}`);
  assert.equal(messageOf('--word', '-h'), '--word requires a value: a word');
  assert.deepEqual(read('--word=--quick', '--word=-h').values.word, ['--quick', '-h']);
});

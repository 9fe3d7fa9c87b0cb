import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Automaton } from '../../../../src/worker/decoder/kernel/plan.ts';
import {
  accepts,
  automatonOf,
  eitherOf,
} from '../../../../src/worker/schema-plan/automata/automaton.ts';
import {
  compilePattern,
  PatternCache,
} from '../../../../src/worker/schema-plan/automata/pattern.ts';
import { Random } from '../random.ts';

const ATOMS = [
  ...['a', 'b', 'é', '😀', '.', '\\d', '\\D', '\\w', '\\W', '\\s', '\\S', '[ab]', '[^ab]', '[a-é]'],
  ...['[^\\d]', '[\\s\\S]', '\\u{1F600}', '\\x41', '\\.', '[\\-.]', '^', '$', '(?:)', '[]', '[^]'],
];
const QUANTIFIERS = ['', '', '', '*', '+', '?', '{2}', '{1,2}', '{0,3}?', '*?', '+?', '{2,}'];
const CHARACTERS = [
  ...['a', 'b', 'c', 'A', '1', '_', ' ', '\n', '.', '-', '\u007f', '\u0080', 'é', 'ÿ', '\u0800'],
  ...['\u2028', '\ud7ff', '\ue000', '\uffff', '😀', '\u{10000}', '\u{10ffff}', '\u{fffff}'],
];

test('automata of random expressions accept the same texts as the engine', () => {
  const random = new Random(1);
  let compared = 0;
  for (let index = 0; index < 200; index++) {
    const source = randomPattern(random, 3);
    const automaton = compilePattern(source);
    if (automaton === 'has too many states') continue;
    assert(typeof automaton !== 'string', `/${source}/u ${String(automaton)}`);
    compared++;
    const regExp = new RegExp(source, 'u');
    for (let count = 0; count < 20; count++) {
      const length = random.below(6);
      const text = Array.from({ length }, () => random.pick(CHARACTERS)).join('');
      assert.equal(
        accepts(automaton, text),
        regExp.test(text),
        `/${source}/u ${JSON.stringify(text)}`,
      );
    }
  }
  assert(compared > 180);
});

function randomPattern(random: Random, depth: number): string {
  const alternatives = Array.from({ length: random.chance(0.2) ? 2 : 1 }, () =>
    Array.from({ length: random.below(4) }, () => {
      const isGroup = depth > 0 && random.chance(0.3);
      const prefix = random.pick([
        '(?:',
        '(',
        `(?<g${depth}${random.next().toString(36).slice(2)}>`,
      ]);
      const atom = isGroup ? `${prefix}${randomPattern(random, depth - 1)})` : random.pick(ATOMS);
      return atom === '^' || atom === '$' ? atom : atom + random.pick(QUANTIFIERS);
    }).join(''),
  );
  return alternatives.join('|');
}

function compiled(source: string): Automaton {
  const automaton = compilePattern(source);
  assert(typeof automaton !== 'string', `/${source}/u ${String(automaton)}`);
  return automaton;
}

test('what automata do not cover is named', () => {
  const reasons = new Map([
    ['^(?=a)', 'uses lookahead'],
    ['(?<!a)b', 'uses lookbehind'],
    ['\\bword', 'uses word boundaries'],
    ['(a)\\1', 'uses back references'],
    ['(?i:a)', 'is not a regular expression'],
    ['[a-z]{1,5000}[0-9]{1,5000}', 'has too many states'],
    ['(?:a|b)*a(?:a|b){14}', 'has too many states'],
  ]);
  for (const [source, reason] of reasons)
    assert.match(
      String(compilePattern(source)),
      new RegExp(
        reason === 'is not a regular expression'
          ? '^(is not a regular expression|uses modifiers)$'
          : `^${reason}$`,
      ),
    );
});

test('Unicode properties are decided for ASCII alone', () => {
  const automaton = compiled('^\\p{Lu}[^\\P{L}]+$');
  assert(accepts(automaton, 'Ab'));
  assert(!accepts(automaton, 'ab'));
  assert(!accepts(automaton, 'Éa'), 'undecided');
});

test('usual limits of lengths in expressions are decided', () => {
  const automaton = compiled('^.{1,255}$');
  for (const character of ['a', 'é', '😀']) {
    assert(accepts(automaton, character.repeat(255)));
    assert(!accepts(automaton, character.repeat(256)));
  }
});

test('the patterns of a schema share a limit of work', () => {
  const patterns = new PatternCache();
  const sources = Array.from({ length: 100 }, (_, index) => `^[^!]{1,${120 + index}}$`);
  const compiled = sources.map((source) => patterns.automatonOf(source));
  assert.equal(typeof compiled[0], 'object');
  assert.equal(compiled.at(-1), 'has too many states, with all other patterns');
  assert.equal(typeof compilePattern(sources.at(-1)!), 'object', 'alone it has not');
});

test('an automaton of two accepts the texts of both, and no others', () => {
  const either = eitherOf(compiled('^a+$'), eitherOf(compiled('é$'), automatonOf(['b', '', '😀'])));
  for (const text of ['a', 'aa', 'é', 'xé', 'b', '', '😀']) assert(accepts(either, text), text);
  for (const text of ['ab', 'x', 'bb', 'éa', '\ud83d']) assert(!accepts(either, text), text);
});

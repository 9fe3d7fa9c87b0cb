import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { COLORS, paintJson, wantsColors } from '../../../src/cli/listen/colors.ts';

const names = (tag: string) => (text: string) => `<${tag} ${text}>`;
const TAGS = {
  place: names('place'),
  key: names('key'),
  name: names('name'),
  text: names('text'),
  literal: names('literal'),
  broken: names('broken'),
};

test('on a terminal, unless NO_COLOR is set or it is dumb; FORCE_COLOR takes precedence', () => {
  assert.equal(wantsColors({}, true), true);
  assert.equal(wantsColors({}, false), false);
  assert.equal(wantsColors({ TERM: 'dumb' }, true), false);
  assert.equal(wantsColors({ NO_COLOR: '1' }, true), false);
  assert.equal(wantsColors({ NO_COLOR: '' }, true), true, 'empty counts as absent');
  assert.equal(wantsColors({ FORCE_COLOR: '1' }, false), true);
  assert.equal(wantsColors({ FORCE_COLOR: '1', NO_COLOR: '1' }, false), true);
  assert.equal(wantsColors({ FORCE_COLOR: '0' }, true), false);
});

test('names, strings, numbers and literals of JSON have their colors', () => {
  const json = '{"a" : "b\\"c","n":-1.5e+3,"l":[true,false,null,""]}';
  assert.equal(
    paintJson(json, TAGS),
    '{<name "a"> : <text "b\\"c">,<name "n">:<literal -1.5e+3>,' +
      '<name "l">:[<literal true>,<literal false>,<literal null>,<text "">]}',
  );
});

test('colors do not change the text, and end where they begin', () => {
  const json = '{"a":"true 1 \\\\","b":[1,"x: \\u001b"]}';
  assert.equal(stripVTControlCharacters(paintJson(json, COLORS)), json);
  for (const paint of Object.values(COLORS)) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the sequences that color
    assert.match(paint('x'), /^\u001b\[\d+mx\u001b\[2?[2-9]?\d?m$/);
    assert.equal(paint(''), '');
  }
});

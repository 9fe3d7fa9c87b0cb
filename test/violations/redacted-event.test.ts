import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { VIOLATION_LIMITS } from '../../src/violations/limits.ts';
import { redactedEvent } from '../../src/violations/redacted-event.ts';

const { exampleChars, exampleFields, nameChars } = VIOLATION_LIMITS;

test('an example has names, types and lengths', () => {
  const event = JSON.parse(
    '{"msg":"secret","n":4711,"f":0.5,"t":true,"z":null,"list":["a",1,{"x":1},2,3],"o":{}}',
  );
  assert.equal(
    redactedEvent(event),
    '{"msg": string(6), "n": integer, "f": number, "t": boolean, "z": null, ' +
      '"list": [string(1), integer, {"x": integer}, … 2 more], "o": {}}',
  );
  assert.equal(redactedEvent('secret'), 'string(6)');
  assert.equal(redactedEvent([]), '[]');
});

test('depth, fields and names are cut', () => {
  const deep = JSON.parse('{"a":{"b":{"c":{"d":{"e":1,"f":2},"g":[1,2,3]}}}}');
  assert.equal(redactedEvent(deep), '{"a": {"b": {"c": {"d": object(2), "g": array(3)}}}}');
  const wide = Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`f${at}`, 1]));
  assert.match(redactedEvent(wide), new RegExp(`, … ${40 - exampleFields} more\\}$`));
  const long = redactedEvent({ ['x'.repeat(64 * 1024)]: 1 });
  assert.equal(long, `{"${'x'.repeat(nameChars - 1)}…": integer}`);
});

test('hostile names are escaped: markup stays text, control characters do not reach a terminal', () => {
  const names = ['<img src=x onerror=alert(1)>', '\u001b[31m', '\u202e', '\u0085', '"', '\ud800'];
  const event = Object.fromEntries(names.map((name) => [name, 1]));
  assert.equal(
    redactedEvent({ ...event }),
    '{"<img src=x onerror=alert(1)>": integer, "\\u001b[31m": integer, "\\u202e": integer, ' +
      '"\\x85": integer, "\\"": integer, "\\ud800": integer}',
  );
  assert.equal(redactedEvent(JSON.parse('{"__proto__":"x"}')), '{"__proto__": string(1)}');
});

test('an example has no text or number of any event, and a bounded length', () => {
  const marked = fc.oneof(
    fc.string({ maxLength: 20 }).map((text) => `secret${text}`),
    fc.integer({ min: 0, max: 999 }).map((number) => 4_711_000 + number),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4, depthSize: 'medium' },
      marked,
      fc.array(tie('tree'), { maxLength: 8 }),
      fc.dictionary(fc.string({ maxLength: 100 }), tie('tree'), { maxKeys: 8 }),
    ),
  }));
  fc.assert(
    fc.property(tree, (event) => {
      const text = redactedEvent(event);
      assert.doesNotMatch(text, /secret|4711/);
      assert(text.length <= exampleChars, `${text.length} characters`);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: the pattern finds them
      assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f]/);
    }),
  );
});

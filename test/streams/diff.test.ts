import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { describeStreams } from '../../src/streams/description.ts';
import { diffStreams, isEmpty } from '../../src/streams/diff.ts';
import { parse } from './support.ts';

/** Description as the admin port sends it. */
function described(streams: string, head = '', text = '{}') {
  const { file, errors } = parse(`version: 1\n${head}\nstreams:\n${streams}`, {
    checkSchema: () => ({ text, warnings: [] }),
  });
  assert.deepEqual(errors, []);
  return JSON.parse(JSON.stringify(describeStreams(file!)));
}

const diff = (from: string, to: string) => diffStreams(described(from), described(to));
const B = '  b: { topic: u }\n';

test('equal streams in another order, with lists in another order: no differences', () => {
  const head = 'routing: { field: type }';
  const a = (match: string) => `  a: { topic: t, match: ${match}, origins: ${match} }\n`;
  const [one, two] = ['[https://a, https://b]', '[https://b, https://a]'];
  const found = diffStreams(described(a(one) + B, head), described(B + a(two), head));
  assert.equal(isEmpty(found), true);
});

test('added and removed streams with their properties', () => {
  const found = diff('  constructor: { topic: t }\n  b: { topic: u }\n', `${B}  c: { topic: v }\n`);
  assert.deepEqual(Object.keys(found.removed), ['constructor']);
  assert.equal(found.added.c?.topic, 'v');
  assert.deepEqual([found.changed, found.routing], [{}, {}]);
  assert.equal(isEmpty(found), false);
});

test('each changed property: old and new value, null for none', () => {
  const from = `  a: { topic: t, create: { partitions: 3, config: { retention.ms: 1 } },
         key: { fields: [x, y.z] }, owner: me, limits: { eventBytes: 1 } }\n${B}`;
  const to = `  a: { topic: T, create: { config: { retention.ms: 2, a.b: c } }, key: none,
         limits: { eventsPerSecond: 5 }, required: false, plain: refuse, origins: [] }\n${B}`;
  assert.deepEqual(diff(from, to).changed, {
    a: {
      topic: { old: 't', new: 'T' },
      'create.partitions': { old: 3, new: null },
      'create.config.retention.ms': { old: '1', new: '2' },
      'create.config.a.b': { old: null, new: 'c' },
      key: { old: ['x', 'y.z'], new: [] },
      'limits.eventBytes': { old: 1, new: null },
      'limits.eventsPerSecond': { old: null, new: 5 },
      origins: { old: null, new: [] },
      plain: { old: 'accept', new: 'refuse' },
      owner: { old: 'me', new: null },
      required: { old: true, new: false },
    },
  });
});

test('defaults and the number of streams count where they have an effect', () => {
  const from = described('  a: { topic: t }\n', 'defaults: { key: { field: x } }');
  const to = described(`  a: { topic: t }\n${B}`, 'routing: { field: f }');
  assert.deepEqual(diffStreams(from, to).changed.a, {
    key: { old: ['x'], new: ['user.id'] },
    'limits.bufferShare': { old: 1, new: 0.5 },
  });
  assert.deepEqual(diffStreams(from, to).routing, { field: { old: null, new: 'f' } });
});

test('schemas are compared by content, not by file', () => {
  const a = (file: string) => `  a: { topic: t, schema: { file: ${file} } }\n`;
  const of = (file: string, text: string) => described(a(file), '', text);
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  assert.equal(isEmpty(diffStreams(of('s/x.json', '1'), of('y.json', '1'))), true);
  assert.deepEqual(diffStreams(of('s/x.json', '1'), of('s/x.json', '2')).changed.a, {
    schema: {
      old: { file: 'x.json', sha256: sha256('1') },
      new: { file: 'x.json', sha256: sha256('2') },
    },
  });
  const removed = diffStreams(of('x.json', '1'), described('  a: { topic: t }\n'));
  assert.deepEqual(removed.changed.a?.schema?.new, null);
});

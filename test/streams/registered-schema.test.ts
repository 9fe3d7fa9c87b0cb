/** Schemas of a registry in a stream file. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeStreams } from '../../src/streams/description.ts';
import { diffStreams, isEmpty } from '../../src/streams/diff.ts';
import type { StreamFileContext } from '../../src/streams/rules.ts';
import { schemaNamesIn } from '../../src/streams/schema-names.ts';
import type { SchemaName } from '../../src/streams/stream-file.ts';
import { marked, parse, problemsOf } from './support.ts';

const GUID = '01234567-89ab-cdef-0123-456789abcdef';
const STREAM = (schema: string, more = '') =>
  `version: 1\nstreams:\n  a: { topic: t, schema: ${schema}${more} }`;

/** A registry whose latest version is 3. */
function contextOf(found: { id?: number; guid?: string | undefined; warnings?: string[] } = {}) {
  const { id = 41, guid = GUID, warnings = [] } = found;
  const registrySchema = ({ subject, requested }: SchemaName) => {
    if (subject === 'none') throw new Error('the registry has no such subject (40401)');
    const version = requested === 'latest' ? 3 : requested;
    const ownGuid = 'guid' in found ? found.guid : guid;
    return { subject, requested, version, id, guid: ownGuid, text: `{"v":${version}}`, warnings };
  };
  return { registrySchema } satisfies Partial<StreamFileContext>;
}

test('a stream has the version, id and framing of its schema', () => {
  for (const [schema, requested, version, framing] of [
    ['{ subject: s-value }', 'latest', 3, 'raw'],
    ['{ subject: s-value, version: latest, framing: prefix }', 'latest', 3, 'prefix'],
    ['{ subject: s-value, version: 2, framing: header, mode: warn }', 2, 2, 'header'],
  ] as const) {
    const { file, errors } = parse(STREAM(schema), contextOf());
    assert.deepEqual(errors, []);
    const found = file?.streams[0]?.schema;
    assert.deepEqual(found, {
      file: `s-value version ${version}`,
      text: `{"v":${version}}`,
      registered: { subject: 's-value', requested, version, id: 41, guid: GUID, framing },
      mode: schema.includes('warn') ? 'warn' : 'enforce',
      candidate: undefined,
    });
  }
});

test('errors and warnings have their place', () => {
  const without = contextOf({ guid: undefined });
  for (const [file, message, context] of [
    [
      STREAM('{ subject: ‸s }'),
      'streams.a.schema.subject requires FOREBAY_SCHEMA_REGISTRY_URL',
      { registrySchema: undefined },
    ],
    [
      STREAM('{ subject: ‸none }'),
      'streams.a.schema.subject: "none": the registry has no such subject (40401)',
    ],
    [
      STREAM('{ subject: ‸s, file: s.json }'),
      'streams.a.schema.subject and file are mutually exclusive',
    ],
    [STREAM('{ file: s, framing: ‸raw }'), 'streams.a.schema.framing requires subject'],
    [
      STREAM('{ subject: ‸7 }'),
      'streams.a.schema.subject must be 1 to 249 printable characters, not 7: put it in quotes',
    ],
    [
      STREAM('{ subject: s, version: ‸0 }'),
      'streams.a.schema.version must be latest or a whole number from 1 to 2147483647, not 0',
    ],
    [
      STREAM('{ subject: s, version: ‸newest }'),
      'streams.a.schema.version must be latest or a whole number from 1 to 2147483647, not "newest"',
    ],
    [
      STREAM('{ subject: s, framing: ‸magic }'),
      'streams.a.schema.framing must be raw, prefix or header, not "magic"',
    ],
    [
      STREAM('{ subject: s, framing: ‸prefix }', ', value: as-sent'),
      'streams.a.schema.framing requires `value: json`: consumers expect JSON',
    ],
    [
      STREAM('{ subject: s, framing: ‸header }'),
      'streams.a.schema.framing needs the GUID of the schema, which this registry does not have: use prefix',
      without,
    ],
  ] as const) {
    const { text, at } = marked(file);
    const all: Partial<StreamFileContext> = { ...contextOf(), ...context };
    assert.deepEqual(problemsOf(text, all).errors, [`${at}: ${message}`], text);
  }
  const { text, at } = marked(STREAM('{ subject: ‸s, framing: prefix }'));
  assert.deepEqual(problemsOf(text, without), { errors: [], warnings: [] });
  const noted = contextOf({ warnings: ['uses version 3: response 500'] });
  assert.deepEqual(problemsOf(text, noted).warnings, [
    `${at}: streams.a.schema.subject: "s" uses version 3: response 500`,
  ]);
});

test('the schemas of a file are known before it is checked', () => {
  const text = `version: 1
streams:
  a: { topic: t, schema: { subject: s } }
  b: { topic: u, schema: { subject: s, version: latest, framing: prefix } }
  c: { topic: v, schema: { subject: s, version: 2 } }
  d: { topic: w, schema: { file: x.json } }
  e: { topic: x, schema: { subject: 7 } }
  f: { topic: y, schema: { subject: s, version: 1.5 } }
  g: [schema]`;
  assert.deepEqual(schemaNamesIn(Buffer.from(text)), [
    { subject: 's', requested: 'latest' },
    { subject: 's', requested: 2 },
  ]);
  for (const other of ['', '[', 'streams: []', '7', '\ufeffa: b', 'x'.repeat(1_000_000)]) {
    assert.deepEqual(schemaNamesIn(Buffer.from(other)), []);
  }
});

test('descriptions show subject, version and id, and differences are those of records', () => {
  const described = (schema: string, found = {}) =>
    describeStreams(parse(STREAM(schema), contextOf(found)).file!);
  const two = described('{ subject: s, version: 2 }');
  const { sha256, ...shown } = two.streams.a!.schema!;
  assert.deepEqual(shown, { subject: 's', version: 2, id: 41, guid: GUID, framing: 'raw' });
  assert.equal(sha256?.length, 64);
  const isSame = (schema: string, found = {}) =>
    isEmpty(diffStreams(two, described(schema, found)));
  assert(isSame('{ subject: s, version: 2 }'));
  assert(!isSame('{ subject: s }'));
  assert(!isSame('{ subject: s, version: 2, framing: prefix }'));
  assert(!isSame('{ subject: s, version: 2 }', { id: 42 }));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import type { StreamFileContext } from '../../src/streams/rules.ts';
import { PLAIN_RECORDS } from '../../src/streams/stream-file.ts';
import { marked, parse, problemsOf } from './support.ts';

const FULL = `
version: 1
routing: { field: event.type, unknown: other }
defaults: { key: { field: a.b }, headers: [stream] }
streams:
  clicks:
    topic: web.clicks.v1
    match: [click, tap]
    create:
      partitions: 24
      replication: 3
      config: { retention.ms: 9223372036854775807, cleanup.policy: compact, x: 0x10, y: false }
    schema: { file: schemas/click.json, mode: warn, candidate: next.json }
    key: { fields: [tenant, user.id] }
    headers: [resent, event-id, received, client-ip, traceparent]
    idField: event.id
    traceField: trace
    time: { field: user.at, unit: s, pastMs: 1000, futureMs: 0 }
    ip: full
    value: as-sent
    limits: { eventBytes: 16384, eventsPerSecond: 20000, bufferShare: 0.25 }
    origins: [HTTPS://Shop.example:443, app://x]
    access: open
    plain: refuse
    deadLetter: bad
    owner: team-web
    required: false
  bad: { topic: forebay.bad, internal: true }
  other: { topic: web.other, create: {}, key: none, schema: { file: /abs/other.json } }
  default: { topic: web.default }
`;

test('a full file: every property, absolute paths, normalized origins, exact numbers', () => {
  const { file, errors, warnings } = parse(FULL);
  assert.deepEqual([errors, warnings], [[], []]);
  assert.deepEqual(file, {
    routing: { field: ['event', 'type'], unknown: 'other' },
    deadLetter: undefined,
    streams: [
      {
        name: 'clicks',
        topic: 'web.clicks.v1',
        match: ['click', 'tap'],
        create: {
          partitions: 24,
          replication: 3,
          config: {
            'retention.ms': '9223372036854775807',
            'cleanup.policy': 'compact',
            x: '16',
            y: 'false',
          },
        },
        schema: {
          file: '/etc/forebay/schemas/click.json',
          text: '{}',
          mode: 'warn',
          candidate: { file: '/etc/forebay/next.json', text: '{}' },
        },
        key: [['tenant'], ['user', 'id']],
        record: {
          headers: ['received', 'event-id', 'resent', 'traceparent', 'client-ip'],
          idField: ['event', 'id'],
          traceField: ['trace'],
          time: { field: ['user', 'at'], unit: 's', pastMs: 1_000, futureMs: 0 },
          ip: 'full',
          value: 'as-sent',
        },
        limits: { eventBytes: 16_384, eventsPerSecond: 20_000, bufferShare: 0.25 },
        origins: ['https://shop.example', 'app://x'],
        access: 'open',
        plain: 'refuse',
        deadLetter: 'bad',
        internal: false,
        owner: 'team-web',
        required: false,
      },
      {
        ...DEFAULTS,
        name: 'bad',
        topic: 'forebay.bad',
        key: [],
        limits: { ...DEFAULTS.limits, bufferShare: 0.1 },
        internal: true,
        required: false,
      },
      {
        ...DEFAULTS,
        name: 'other',
        topic: 'web.other',
        create: { partitions: undefined, replication: undefined, config: {} },
        schema: { file: '/abs/other.json', text: '{}', mode: 'enforce', candidate: undefined },
        key: [],
        record: { ...PLAIN_RECORDS, headers: ['stream'] },
      },
      {
        ...DEFAULTS,
        name: 'default',
        topic: 'web.default',
        key: [['a', 'b']],
        record: { ...PLAIN_RECORDS, headers: ['stream'] },
      },
    ],
  });
});

/** A stream that states only its topic, among others. */
const DEFAULTS = {
  match: [],
  create: undefined,
  schema: undefined,
  key: [['user', 'id']],
  record: PLAIN_RECORDS,
  limits: { eventBytes: undefined, eventsPerSecond: undefined, bufferShare: 0.5 },
  origins: undefined,
  access: 'keyed',
  plain: 'accept',
  deadLetter: undefined,
  internal: false,
  owner: undefined,
  required: true,
};

test('defaults: buffer share by the number of streams, access by the settings, key field', () => {
  const one = 'version: 1\nstreams: { a: { topic: t } }';
  const alone = { ...DEFAULTS.limits, bufferShare: 1 };
  const expected = { ...DEFAULTS, name: 'a', topic: 't', limits: alone };
  assert.deepEqual(parse(one).file, {
    routing: { field: undefined, unknown: 'refuse' },
    deadLetter: undefined,
    streams: [expected],
  });
  const open = parse(one, { authenticates: false, keyField: 'id' });
  assert.deepEqual(open.file?.streams, [{ ...expected, access: 'open', key: [['id']] }]);
  const two = parse('version: 1\nstreams: { a: { topic: t }, b: { topic: u } }').file;
  assert.deepEqual(
    two?.streams.map(({ limits }) => limits.bufferShare),
    [0.5, 0.5],
  );
  const withInternal =
    'version: 1\ndefaults: { deadLetter: b }\nstreams: { a: { topic: t }, b: { topic: u, internal: true } }';
  assert.deepEqual(
    parse(withInternal).file?.streams.map((stream) => [
      stream.limits.bufferShare,
      stream.deadLetter,
    ]),
    [
      [1, 'b'],
      [0.1, undefined],
    ],
    'an internal stream is no other stream, and has no dead letters',
  );
  const none = parse('version: 1\ndefaults: { key: none }\nstreams: { a: { topic: t } }').file;
  assert.deepEqual(none?.streams[0]?.key, []);
});

test('JSON is read like YAML, whatever its indentation and line ends', () => {
  const json = { version: 1, streams: { a: { topic: 't', match: ['"\\/\u0001é😀'] } } };
  for (const indent of [0, 2, '\t']) {
    const text = JSON.stringify({ ...json, routing: { field: 'x' } }, undefined, indent);
    for (const variant of [text, text.replaceAll('\n', '\r\n')]) {
      const { file, errors } = parse(variant);
      assert.deepEqual(errors, []);
      assert.deepEqual(file?.streams[0]?.match, ['"\\/\u0001é😀']);
    }
  }
});

test('names of Object.prototype are names like others', () => {
  const text =
    'version: 1\nstreams: { constructor: { topic: t, create: { config: { valueof: a } } } }';
  const { file, errors } = parse(text);
  assert.deepEqual(errors, []);
  assert.equal(file?.streams[0]?.name, 'constructor');
  const { text: wrong, at } = marked('version: 1\nstreams: { a: { topic: t, ‸__proto__: {} } }');
  assert.match(
    problemsOf(wrong).errors.join(),
    new RegExp(`^${at}: .*__proto__: unknown property`),
  );
});

test('anchors and aliases are resolved; the last anchor before an alias counts', () => {
  const { file, errors } = parse(`
version: 1
streams:
  a: { topic: &t t1, key: &k { fields: [x, y] } }
  b: { topic: &t t2, key: *k }
  c: { topic: *t, key: *k }
`);
  assert.deepEqual(errors, []);
  const facts = file?.streams.map(({ topic, key }) => [topic, key.length]);
  assert.deepEqual(facts, [
    ['t1', 2],
    ['t2', 2],
    ['t2', 2],
  ]);
});

const STREAM = (properties: string) => `version: 1\nstreams:\n  a: { topic: t, ${properties} }`;
const ROUTED = (streams: string) => `version: 1\nrouting: { field: type }\nstreams:\n${streams}`;
const WHOLE = 'must be a whole number from 1 to';

/** Files with one error, whose position has the mark `‸`, and the message at it. */
const ERRORS: readonly [file: string, message: string, context?: Partial<StreamFileContext>][] = [
  // Syntax.
  ['‸', 'the file is empty'],
  ['‸# nothing', 'the file is empty'],
  [
    'a: [\n b: ‸}',
    'not valid YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
  ],
  ['version: 1\nstreams: "a‸', 'not valid YAML: missing closing "quote'],
  ['version: 1\n‸---\nstreams: {}', 'the file contains several documents'],
  ['version: ‸!int 1\nstreams: {}', 'not valid YAML: unresolved tag: !int'],
  [`a: ${'['.repeat(15)}[‸[]]${']'.repeat(15)}`, 'nested too deeply'],
  ['‸- a', 'the file must be an object, not a list'],
  ['‸text', 'the file must be an object, not "text"'],
  // Names and values.
  [STREAM('‸topic: u'), 'duplicate property streams.a.topic, first in line 3'],
  [
    'version: 1\nstreams:\n  ‸1: { topic: t }\n  a: { topic: t }',
    "a property name must be text: write '1'",
  ],
  ['version: 1\nstreams:\n  ? ‸[a]\n  : 1\n  a: { topic: t }', 'a property name must be text'],
  ['version: 1\nstreams: &s\n  a: { topic: t, ‸<<: x }', 'merge keys (<<) are not supported'],
  [
    `version: 1\nstreams: { a: { topic: t }, ? ‸${'n'.repeat(300)} : {} }`,
    'a property name has more than 256 characters',
  ],
  [STREAM('owner: ‸*x'), 'the alias *x has no anchor before it'],
  [STREAM('schema: &x { file: ‸*x }'), 'the alias *x contains itself'],
  // Structure.
  ['‸version: 1', 'the file requires streams'],
  ['‸streams: { a: { topic: t } }', 'the file requires version'],
  ['version: ‸2\nstreams: { a: { topic: t } }', 'version must be 1, not 2'],
  ['version: ‸"1"\nstreams: { a: { topic: t } }', 'version must be 1, not "1"'],
  ['version: 1\nstreams: ‸{}', 'streams must not be empty'],
  ['version: 1\nstreams:‸', 'streams has no value: it must be an object'],
  ['version: 1\nstreams:\n  ‸a: {}', 'streams.a requires topic'],
  ['version: 1\nstreams:\n  a:‸', 'streams.a has no value: it must be an object'],
  [
    'version: 1\nstreams:\n  ‸Bad: { topic: t }',
    'streams.Bad: the name must be 1 to 64 lower-case letters, digits, _ -, the first a letter or digit',
  ],
  [
    'version: 1\nstreams:\n  ‸"a b": { topic: t }',
    'streams."a b": the name must be 1 to 64 lower-case letters, digits, _ -, the first a letter or digit',
  ],
  [
    `version: 1\nstreams:\n  ‸${'n'.repeat(65)}: { topic: t }`,
    `streams.${'n'.repeat(59)}…: the name must be 1 to 64 lower-case letters, digits, _ -, the first a letter or digit`,
  ],
  [
    'version: 1\nstream: {}\nstreams: { a: { topic: t } }'.replace('stream:', '‸stream:'),
    'stream: unknown property; did you mean streams?',
  ],
  [STREAM('‸topics: x'), 'streams.a.topics: unknown property; did you mean topic?'],
  [
    STREAM('‸partition: 1'),
    'streams.a.partition: unknown property; known: topic, match, create, schema, key, headers, idField, traceField, time, ip, value, limits, origins, access, plain, deadLetter, internal, owner, required',
  ],
  [
    STREAM('headers: [received, ‸fb-id]'),
    'streams.a.headers[1] must be received, event-id, resent, traceparent, tracestate, request-id, identity, stream, schema, transport, instance, client-ip, user-agent, origin or referer, not "fb-id"',
  ],
  // Schemas, internal streams, dead letters.
  [
    STREAM('schema: { file: s.json, mode: ‸strict }'),
    'streams.a.schema.mode must be enforce, warn or off, not "strict"',
  ],
  [STREAM('schema: ‸{ candidate: s.json }'), 'streams.a.schema must have a file or a subject'],
  [
    STREAM('deadLetter: ‸rejects').replace(
      'streams:',
      'streams:\n  rejected: { topic: r, internal: true }',
    ),
    'streams.a.deadLetter names no stream: "rejects"; did you mean rejected?',
  ],
  [STREAM('deadLetter: ‸a'), 'streams.a.deadLetter names a, which is not internal'],
  [
    'version: 1\ndefaults: { deadLetter: ‸b }\nstreams: { a: { topic: t } }',
    'defaults.deadLetter names no stream: "b"',
  ],
  [
    'version: 1\nrouting: { field: f, unknown: ‸b }\nstreams: { a: { topic: t, match: [x] }, b: { topic: u, internal: true } }',
    'routing.unknown names b, which is internal',
  ],
  [
    'version: 1\nstreams: { a: { topic: ‸t }, b: { topic: t, internal: true } }',
    'streams.a.topic is also the topic of b, which is internal',
  ],
  [
    'version: 1\nstreams: { a: { topic: t }, b: { topic: u, internal: true, plain: ‸refuse } }',
    'streams.b.plain does not apply to an internal stream',
  ],
  [
    'version: 1\nstreams: { a: { topic: t }, default: { topic: u, internal: ‸true } }',
    'streams.default.internal: the stream default receives events of clients',
  ],
  [
    'version: 1\nstreams: ‸{ b: { topic: u, internal: true } }',
    'streams: all are internal, so that no client can write',
  ],
  [STREAM('headers: [stream, ‸stream]'), 'streams.a.headers[1] repeats streams.a.headers[0]'],
  [STREAM('headers: ‸stream'), 'streams.a.headers must be a list, not "stream"'],
  [STREAM('time: ‸now'), 'streams.a.time must be arrival or { field: name }, not "now"'],
  [STREAM('‸time: { unit: ms }'), 'streams.a.time requires field'],
  [
    STREAM('time: { field: t, unit: ‸m }'),
    'streams.a.time.unit must be s, ms, us, ns or iso, not "m"',
  ],
  [
    STREAM('time: { field: t, pastMs: ‸536870912 }'),
    'streams.a.time.pastMs must be a whole number from 0 to 536870911, not 536870912',
  ],
  [
    STREAM('time: ‸{ field: t, pastMs: 536870911 }'),
    'streams.a.time: the sum of pastMs and futureMs is 537170911, the maximum is 536870911',
  ],
  [
    STREAM('time: ‸{ field: t, pastMs: 536870911, futureMs: 1 }'),
    'streams.a.time: the sum of pastMs and futureMs is 536870912, the maximum is 536870911',
  ],
  [STREAM('ip: ‸none'), 'streams.a.ip must be truncated or full, not "none"'],
  [STREAM('value: ‸avro'), 'streams.a.value must be json or as-sent, not "avro"'],
  [
    STREAM('schema: { file: x, ‸draft: 7 }'),
    'streams.a.schema.draft: unknown property; known: file, subject, version, framing, mode, candidate',
  ],
  [
    'version: 1\ndefaults: { ‸access: open }\nstreams: { a: { topic: t } }',
    'defaults.access: unknown property; known: key, headers, deadLetter',
  ],
  [
    'version: 1\nstreams:\n  a: { topic: ‸a b }',
    'streams.a.topic must be a topic name: 1 to 249 letters, digits, . _ -, but neither . nor .., not "a b"',
  ],
  [
    'version: 1\nstreams:\n  a: { topic: ‸.. }',
    'streams.a.topic must be a topic name: 1 to 249 letters, digits, . _ -, but neither . nor .., not ".."',
  ],
  [
    'version: 1\nstreams:\n  a: { topic: ‸3 }',
    'streams.a.topic must be a topic name: 1 to 249 letters, digits, . _ -, but neither . nor .., not 3: put it in quotes',
  ],
  [
    STREAM('match: ‸click').replace('streams', 'routing: { field: x }\nstreams'),
    'streams.a.match must be a list, not "click"',
  ],
  [
    ROUTED('  a: { topic: t, match: [x, ‸true] }'),
    'streams.a.match[1] must be text, not true: put it in quotes',
  ],
  [ROUTED('  a: { topic: t, match: ‸[] }'), 'streams.a.match must not be empty'],
  [
    ROUTED(
      `  a: { topic: t, match: ‸[${Array.from({ length: 1001 }, (_, n) => `v${n}`).join(',')}] }`,
    ),
    'streams.a.match has more than 1000 entries',
  ],
  [STREAM('create: { partitions: ‸0 }'), `streams.a.create.partitions ${WHOLE} 10000, not 0`],
  [STREAM('create: { partitions: ‸1.5 }'), `streams.a.create.partitions ${WHOLE} 10000, not 1.5`],
  [
    STREAM('create: { partitions: ‸.inf }'),
    `streams.a.create.partitions ${WHOLE} 10000, not Infinity`,
  ],
  [
    STREAM('create: { replication: ‸0 }'),
    'streams.a.create.replication must be a whole number from 1 to 32, or -1, not 0',
  ],
  [
    STREAM('create: { config: { ‸Retention: 1 } }'),
    'streams.a.create.config.Retention: the name must be a topic property such as retention.ms',
  ],
  [
    STREAM('create: { config: { retention.ms: ‸[1] } }'),
    'streams.a.create.config.retention.ms must be text or a number or true or false, not a list',
  ],
  [STREAM('schema: ‸{}'), 'streams.a.schema must have a file or a subject'],
  [STREAM('schema: ‸[]'), 'streams.a.schema must have a file or a subject, not a list'],
  [STREAM('schema: { file: x, version: ‸1 }'), 'streams.a.schema.version requires subject'],
  [
    STREAM('key: ‸some'),
    'streams.a.key must be none, { field: name } or { fields: [name, name] }, not "some"',
  ],
  [
    STREAM('key: ‸[a]'),
    'streams.a.key must be none, { field: name } or { fields: [name, name] }, not a list',
  ],
  [STREAM('key: ‸{}'), 'streams.a.key must be none, { field: name } or { fields: [name, name] }'],
  [
    STREAM('key: ‸{ field: a, fields: [b] }'),
    'streams.a.key must be none, { field: name } or { fields: [name, name] }',
  ],
  [STREAM('key: { ‸feild: a }'), 'streams.a.key.feild: unknown property; did you mean field?'],
  [
    STREAM('key: { field: ‸a..b }'),
    'streams.a.key.field must be a field name, or field names separated by single dots, such as user.id, not "a..b"',
  ],
  [STREAM('key: { fields: ‸[] }'), 'streams.a.key.fields must not be empty'],
  [STREAM('key: { fields: [a, ‸a] }'), 'streams.a.key.fields[1] repeats streams.a.key.fields[0]'],
  [
    STREAM('limits: { eventBytes: ‸1e9 }'),
    `streams.a.limits.eventBytes ${WHOLE} 262144, not 1000000000`,
  ],
  [
    STREAM('limits: { eventsPerSecond: ‸0 }'),
    `streams.a.limits.eventsPerSecond ${WHOLE} 100000000, not 0`,
  ],
  [
    STREAM('limits: { bufferShare: ‸0 }'),
    'streams.a.limits.bufferShare must be a number from 0.015625 to 1, not 0',
  ],
  [
    STREAM('limits: { bufferShare: ‸1.01 }'),
    'streams.a.limits.bufferShare must be a number from 0.015625 to 1, not 1.01',
  ],
  [STREAM('access: ‸closed'), 'streams.a.access must be keyed or open, not "closed"'],
  [STREAM('plain: ‸no'), 'streams.a.plain must be accept or refuse, not "no"'],
  [
    STREAM('owner: ‸"a\\u202eb"'),
    'streams.a.owner must be 1 to 100 printable characters, not "a\u202eb"',
  ],
  [STREAM('required: ‸yes'), 'streams.a.required must be true or false, not "yes"'],
  // Rules.
  [
    'version: 1\nstreams:\n  ‸refuse: { topic: t }',
    'streams.refuse: the name refuse is reserved for routing.unknown',
  ],
  [
    'version: 1\nrouting: { unknown: ‸clik, field: type }\nstreams: { click: { topic: t, match: [x] } }',
    'routing.unknown names no stream: "clik"; did you mean click?',
  ],
  [STREAM('‸match: [x]'), 'streams.a.match requires routing.field'],
  [
    ROUTED('  a: { topic: t, match: [x, ‸x] }'),
    'streams.a.match[1] repeats streams.a.match[0]: "x"',
  ],
  [
    ROUTED('  a: { topic: t, match: [y, x] }\n  b: { topic: u, match: [‸x] }'),
    'streams.b.match[0] repeats streams.a.match[1]: "x"',
  ],
  [
    'version: 1\nstreams:\n  a: { topic: t, create: {} }\n  b: { topic: t, create: ‸{ partitions: 3 } }',
    'streams.b.create differs from streams.a.create of the same topic',
  ],
  [
    STREAM('access: ‸keyed'),
    'streams.a.access is keyed, which requires FOREBAY_KEYS_FILE, FOREBAY_JWT_JWKS_FILE or FOREBAY_JWT_JWKS_URL',
    { authenticates: false },
  ],
  [STREAM('origins: [‸null]'), 'streams.a.origins[0] has no value: it must be text'],
  [
    STREAM('origins: [https://a.example, ‸https://b.example/]'),
    'streams.a.origins[1] must be an origin such as https://app.example, not "https://b.example/"',
  ],
  [
    STREAM('origins: [‸"*", https://a.example]'),
    'streams.a.origins[0] is *, which must stand alone',
  ],
  [
    STREAM('schema: { file: ‸s.json }'),
    'streams.a.schema.file: s.json is not valid JSON',
    {
      checkSchema: () => {
        throw new Error('is not valid JSON');
      },
    },
  ],
];

test('every error has its position and a message in plain words', () => {
  for (const [file, message, context] of ERRORS) {
    const { text, at } = marked(file);
    assert.deepEqual(problemsOf(text, context).errors, [`${at}: ${message}`], text.slice(0, 200));
    assert.equal(parse(text, context).file, undefined);
  }
});

test('all errors of a file are reported, in the order of their positions', () => {
  const file = `version: 2
routing: { field: 7 }
streams:
  a: { topic: "", match: [x, x], oops: 1, oops: 2 }
  a: { topic: t }
  refuse: { key: {}, access: keyed }
`;
  const { errors } = problemsOf(file, { authenticates: false });
  assert.deepEqual(
    errors.map((line) => line.slice(0, line.indexOf(' '))),
    [
      '1:10:',
      '2:19:',
      '4:15:',
      '4:30:',
      '4:34:',
      '4:43:',
      '5:3:',
      '6:3:',
      '6:3:',
      '6:18:',
      '6:30:',
    ],
  );
});

test('warnings do not make a file invalid', () => {
  const rows: [file: string, message: string, context?: Partial<StreamFileContext>][] = [
    [
      'version: 1\nstreams:\n  a: { topic: t }\n  b: { topic: ‸t }',
      'streams.b.topic is also the topic of a',
    ],
    [
      'version: 1\nrouting: { field: ‸type }\nstreams: { a: { topic: t } }',
      'routing.field matches nothing: no stream has `match`',
    ],
    [
      'version: 1\nrouting: { unknown: ‸a }\nstreams: { a: { topic: t } }',
      'routing.unknown has no effect without routing.field',
    ],
    [
      STREAM('limits: { eventBytes: ‸70000 }'),
      'streams.a.limits.eventBytes has no effect: FOREBAY_MAX_FRAME_BYTES is 65536',
    ],
    [
      STREAM('origins: [https://a.example, ‸https://b.example]'),
      'streams.a.origins[1] has no effect: FOREBAY_ORIGINS does not allow this origin',
      { origins: ['https://a.example'] },
    ],
    [
      STREAM('schema: { file: ‸s.json }'),
      'streams.a.schema.file: s.json /x is ignored',
      { checkSchema: () => ({ text: '{}', warnings: ['/x is ignored'] }) },
    ],
    [STREAM('idField: ‸key'), 'streams.a.idField has no effect without the header event-id'],
    [
      STREAM('headers: [event-id], traceField: ‸trace'),
      'streams.a.traceField has no effect without the header traceparent',
    ],
    [
      'version: 1\ndefaults: { headers: [stream] }\nstreams: { a: { topic: t, ip: ‸full } }',
      'streams.a.ip has no effect without the header client-ip',
    ],
  ];
  for (const [file, message, context] of rows) {
    const { text, at } = marked(file);
    const found = problemsOf(text, context);
    assert.deepEqual(found, { errors: [], warnings: [`${at}: ${message}`] }, text);
    assert.notEqual(parse(text, context).file, undefined);
  }
  const every = problemsOf(STREAM('origins: [https://b.example]'), { origins: ['*'] });
  assert.deepEqual(every, { errors: [], warnings: [] });
});

test('a schema that several streams share is compiled once', () => {
  const files: string[] = [];
  const text = `version: 1
streams:
  a: { topic: t, schema: { file: s.json } }
  b: { topic: u, schema: { file: ./s.json } }`;
  const checkSchema = (path: string) => {
    files.push(path);
    throw new Error('is broken');
  };
  assert.deepEqual(problemsOf(text, { checkSchema }).errors, [
    '3:34: streams.a.schema.file: s.json is broken',
    '4:34: streams.b.schema.file: ./s.json is broken',
  ]);
  assert.deepEqual(files, ['/etc/forebay/s.json']);
});

test('bytes that are not UTF-8, a byte order mark, and long files are rejected', () => {
  const latin1 = Buffer.from('version: 1\nstreams: { é: {} }', 'latin1');
  assert.deepEqual(problemsOf(latin1).errors, [
    '2:12: the file is not valid UTF-8: save it as UTF-8',
  ]);
  assert.deepEqual(problemsOf('\ufeffversion: 1').errors, [
    '1:1: the file begins with a byte order mark (UTF-8): save it as UTF-8 without one',
  ]);
  const { bytes } = LIMITS.streamFile;
  assert.deepEqual(problemsOf('#'.repeat(bytes + 1)).errors, [
    `1:1: the file is longer than ${bytes} bytes`,
  ]);
});

test('64 streams are valid, 65 are not', () => {
  const file = (count: number) =>
    `version: 1\nstreams:\n${Array.from({ length: count }, (_, n) => `  s${n}: { topic: t${n} }`).join('\n')}`;
  assert.equal(parse(file(64)).file?.streams.length, 64);
  assert.deepEqual(problemsOf(file(65)).errors, ['3:3: streams has more than 64 entries']);
});

test('files that expand or nest without bound end with an error', () => {
  let laughs = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n';
  for (let n = 1; n < 12; n++) laughs += `a${n}: &a${n} [${`*a${n - 1}, `.repeat(10)}]\n`;
  assert.match(
    problemsOf(laughs).errors.join(),
    /more than 100000 values, those of aliases included/,
  );
  // Below the maximum size: the parser takes seconds for some of the longest ones.
  const bytes = LIMITS.streamFile.bytes / 8;
  for (const unit of [
    '[',
    '{',
    '{a: ',
    '- ',
    '? ',
    ': ',
    'a: ',
    '&a ',
    '*a ',
    '!a ',
    '"',
    '%a\n',
  ]) {
    const { errors } = problemsOf(unit.repeat(bytes / unit.length));
    assert(errors.length > 0 && errors.length <= LIMITS.streamFile.errors + 1, unit);
  }
});

test('beyond the maximum, errors are counted', () => {
  const max = LIMITS.streamFile.errors;
  const unknown = Array.from({ length: max + 20 }, (_, n) => `u${n}: 1`).join('\n');
  const { errors } = problemsOf(`version: 1\nstreams: { a: { topic: t } }\n${unknown}`);
  assert.equal(errors.length, max + 1);
  assert.equal(errors.at(-1), `${max + 3}:1: 20 more errors`);
});

/** Record headers, event times and marked repeats, from the socket to Kafka. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { LIMITS } from '../../src/config/limits.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway, TRANSPORT } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { setTopicConfig } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { logged, untilLogged } from '../../testing/watch.ts';
import { type ReadRecord, readWithHeaders } from '../support/headers.ts';
import { RawHttp } from '../support/raw-http.ts';
import { upgrade } from '../support/upgrade.ts';

const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const EVENT_TRACE = '00-11111111111111111111111111111111-2222222222222222-00';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
/** 192.0.2.0/24 is reserved for documentation. */
const FORGED = '192.0.2.77';
const HOUR_MS = 3_600_000;
const BEFORE_MAX = 'message.timestamp.before.max.ms';
const AFTER_MAX = 'message.timestamp.after.max.ms';

const folder = mkdtempSync(join(tmpdir(), 'forebay-headers-'));
const path = join(folder, 'streams.yaml');
const keys = new KeyFile();
const prefix = uniqueTopic();
const topicOf = (stream: string) => `${prefix}.${stream}`;
const ALL = [
  'received, event-id, resent, traceparent, tracestate, request-id, identity, stream, schema',
  'transport, instance, client-ip, user-agent, origin, referer',
].join(', ');
const declared = (name: string, rest: string, config = '') =>
  `  ${name}: { topic: ${topicOf(name)}, create: { partitions: 1, replication: 1${config} }, ${rest} }\n`;
const FILE = `version: 1
routing: { field: type }
streams:
${declared('all', `headers: [${ALL}], traceField: trace, time: { field: at }, key: { field: user }`)}
${declared('none', 'key: { field: user }, match: [none]')}
${declared('mild', 'headers: [received, resent, traceparent, request-id, stream, transport, instance], match: [mild]')}
${declared('marks', 'headers: [event-id, resent], schema: { file: any.json }, match: [marks]')}
${declared('sent', 'headers: [event-id], value: as-sent')}
${declared('timed', 'time: { field: at, pastMs: 86400000 }')}
${declared('limited', 'time: { field: at, pastMs: 86400000, futureMs: 86400000 }', `, config: { ${BEFORE_MAX}: ${HOUR_MS}, ${AFTER_MAX}: ${HOUR_MS} }`)}
`;

let gateway: Gateway;
let brokers: readonly string[];

before(async () => {
  writeFileSync(path, FILE);
  writeFileSync(
    join(folder, 'any.json'),
    '{"$id":"https://schema.example/any","type":"object","properties":{"n":{"type":"integer"}}}',
  );
  keys.writeText(JSON.stringify({ keys: [{ name: 'shop', sha256: keys.hash('shop') }] }));
  ({ brokers } = await sharedKafka());
  const env = {
    FOREBAY_STREAMS_FILE: path,
    FOREBAY_KEYS_FILE: keys.path,
    FOREBAY_ORIGINS: '*',
    FOREBAY_INSTANCE: 'gw-1',
  };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.stop();
  keys.remove();
  rmSync(folder, { recursive: true });
});

const read = new Map<string, Map<number, bigint>>();
/** Returns the records of a stream's topic since the last call, in order. */
async function newRecords(stream: string): Promise<ReadRecord[]> {
  const fromOffsets = read.get(stream) ?? new Map<number, bigint>();
  read.set(stream, fromOffsets);
  const records = await readWithHeaders({ brokers, topic: topicOf(stream), fromOffsets });
  for (const { partition, offset } of records) fromOffsets.set(partition, BigInt(offset) + 1n);
  return records;
}

/** Ids of the new records of `marks`, with `*` behind the marked ones. */
async function newMarks(): Promise<string[]> {
  return (await newRecords('marks')).map(({ headers }) => {
    const of = new Map(headers);
    return `${of.get('fb-id')}${of.get('fb-resent') === '1' ? '*' : ''}`;
  });
}

/** Sends a body. @returns status, X-Request-Id and codes */
async function post(
  stream: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
  query = '',
) {
  const url = `${gateway.httpUrl}/events${stream === '' ? '' : `/${stream}`}${query}`;
  const bytes = new Uint8Array(Buffer.from(body));
  const sent = { ...keys.bearer('shop'), ...headers };
  const response = await fetch(url, { method: 'POST', headers: sent, body: bytes });
  const answer = (await response.json()) as {
    errors?: { code: string }[];
    error?: { code: string };
  };
  const { errors = [], error } = answer;
  const codes = [...errors, ...(error ? [error] : [])].map(({ code }) => code);
  return { status: response.status, codes, requestId: response.headers.get('x-request-id') };
}

const openSocket = (stream: string, query = '', headers: Record<string, string> = {}) =>
  FrameClient.open(`${gateway.wsUrl}/${stream}${query}`, { ...keys.bearer('shop'), ...headers });

test('a record of a body has all headers of its stream, and the time of its event', async () => {
  const at = Date.now() - HOUR_MS;
  const event = JSON.stringify({ id: 'e-1', user: 'u', at, trace: EVENT_TRACE });
  const before = Date.now();
  const { status, requestId } = await post('all', `[${event},{"id":7,"at":${at * 1000}}]`, {
    traceparent: TRACE,
    tracestate: 'a=1,b=2',
    'User-Agent': 'agent/1',
    Origin: 'https://shop.example',
    Referer: 'https://shop.example/cart?token=secret',
  });
  assert.equal(status, 200);
  assert.match(requestId!, UUID);
  const [first, second] = await newRecords('all');
  const received = Number(new Map(first?.headers).get('fb-received'));
  assert(received >= before && received <= Date.now(), `${received}`);
  const ofSender = [
    ['fb-request', requestId],
    ['fb-identity', 'shop'],
    ['fb-stream', 'all'],
    ['fb-transport', 'http'],
    ['fb-instance', 'gw-1'],
    ['fb-ip', '127.0.0.0/24'],
    ['fb-user-agent', 'agent/1'],
    ['fb-origin', 'https://shop.example'],
    ['fb-referer', 'https://shop.example'],
  ];
  const time = ['fb-received', String(received)];
  assert.deepEqual(first?.headers, [
    time,
    ['fb-id', 'e-1'],
    ['traceparent', EVENT_TRACE],
    ...ofSender,
  ]);
  assert.deepEqual([first.timestamp, String(first.key), String(first.value)], [at, 'u', event]);
  assert.deepEqual(second?.headers, [
    time,
    ['traceparent', TRACE],
    ['tracestate', 'a=1,b=2'],
    ...ofSender,
    ['fb-time', 'arrival'],
  ]);
  assert.equal(second.timestamp, received);
});

test('kcat reads the same headers, keys, values and timestamps', {
  skip: missingTool('kcat'),
}, async () => {
  const records = await readWithHeaders({ brokers, topic: topicOf('all') });
  const args = ['-C', '-e', '-q', '-b', brokers.join(','), '-t', topicOf('all'), '-o', 'beginning'];
  const format = ['-f', '%T\\x02%k\\x02%s\\x02%h\\x01', '-X', 'check.crcs=true'];
  const { stdout } = await promisify(execFile)('kcat', [...args, ...format]);
  assert.deepEqual(
    stdout
      .split('\x01')
      .slice(0, -1)
      .map((record) => record.split('\x02')),
    records.map(({ timestamp, key, value, headers }) => {
      const texts = headers.map(([name, text]) => `${name}=${text}`);
      return [String(timestamp), String(key ?? ''), String(value), texts.join()];
    }),
  );
});

test('records of a connection have the headers of its handshake', async () => {
  const client = await openSocket('all', '', { 'User-Agent': 'socket/1', traceparent: TRACE });
  assert.deepEqual(await client.exchange('{"id":"a"}'), []);
  assert.deepEqual(await client.exchange('{"id":"b"}'), []);
  await client.close();
  const records = await newRecords('all');
  for (const [index, { headers }] of records.entries()) {
    const of = new Map(headers);
    assert.deepEqual(
      ['fb-id', 'traceparent', 'fb-transport', 'fb-user-agent', 'fb-origin'].map((name) =>
        of.get(name),
      ),
      ['ab'[index], TRACE, 'ws', 'socket/1', undefined],
    );
    assert.match(of.get('fb-request')!, UUID);
    assert.equal(of.get('fb-request'), new Map(records[0]?.headers).get('fb-request'));
  }
  assert.equal(records.length, 2);
});

test('no personal data reaches a record unless the stream asks for it', async () => {
  const personal = {
    'User-Agent': 'secret-agent',
    Origin: 'https://secret-origin.example',
    Referer: 'https://secret-referer.example/secret-path',
    Cookie: 'secret-cookie=1',
    'X-Forwarded-For': FORGED,
    'X-Real-IP': FORGED,
    Forwarded: `for=${FORGED}`,
    'X-Request-Id': 'secret-request',
  };
  const event = '{"user":"u"}';
  for (const stream of ['none', 'mild']) {
    assert.equal((await post(stream, event, personal, '?token=secret-query')).status, 200);
    const client = await openSocket(stream, '?token=secret-query', personal);
    assert.deepEqual(await client.exchange(event), []);
    await client.close();
  }
  const texts = ({ key, value, headers }: ReadRecord) => [key, value, ...headers.flat()].join('\n');
  const records = [...(await newRecords('none')), ...(await newRecords('mild'))];
  assert.equal(records.length, 4);
  for (const record of records) {
    const text = texts(record);
    for (const secret of ['secret', '127.0.0', FORGED, '192.0.2', 'shop', ...keys.secrets]) {
      assert(!text.includes(secret), `${secret} in ${text}`);
    }
  }
  assert.deepEqual(records[0]?.headers, []);
  const [mild] = records.slice(2);
  assert.deepEqual(mild?.headers.map(([name]) => name).slice(1), [
    'fb-request',
    'fb-stream',
    'fb-transport',
    'fb-instance',
  ]);
  // Where it asks: no credentials, no path, and only the network of the real peer.
  assert.equal((await post('all', event, personal, '?token=secret-query')).status, 200);
  const [asked] = await newRecords('all');
  const text = texts(asked!);
  for (const secret of [
    'secret-cookie',
    'secret-path',
    'secret-query',
    'secret-request',
    '192.0.2',
    '127.0.0.1',
    ...keys.secrets,
  ]) {
    assert(!text.includes(secret), `${secret} in ${text}`);
  }
  assert.equal(new Map(asked?.headers).get('fb-ip'), '127.0.0.0/24');
});

test('hostile header values are cleaned, cut or omitted, and nothing crashes', async () => {
  const raw = new RawHttp(gateway.port);
  const ask = async (lines: readonly string[], connection = raw) => {
    const { Authorization } = keys.bearer('shop');
    const head = ['POST /events/all HTTP/1.1', 'Host: a', `Authorization: ${Authorization}`];
    const text = [...head, 'Content-Length: 2', ...lines, '', '{}'].join('\r\n');
    connection.write(Buffer.from(text, 'latin1'));
    const { status } = await connection.answer();
    return status;
  };
  const headerOf = async (lines: readonly string[], name: string) => {
    assert.equal(await ask(lines), 200, lines.join());
    const [record] = await newRecords('all');
    return new Map(record?.headers).get(name);
  };
  assert.equal(await headerOf(['User-Agent: a\tb\x80\xffc'], 'fb-user-agent'), 'a b\ufffd\ufffdc');
  const utf8 = Buffer.from(`x${'é'.repeat(200)}x`).toString('latin1');
  assert.equal(await headerOf([`User-Agent: ${utf8}`], 'fb-user-agent'), `x${'é'.repeat(127)}`);
  const ends = Buffer.from('éxé').toString('latin1');
  const read = TRANSPORT === 'node' ? 'éxé' : 'x';
  assert.equal(await headerOf([`User-Agent: ${ends}`], 'fb-user-agent'), read);
  assert.equal(
    await headerOf([`traceparent: ${TRACE}`, `traceparent: ${TRACE}`], 'traceparent'),
    undefined,
  );
  assert.equal(await headerOf([`traceparent: ${TRACE.toUpperCase()}`], 'traceparent'), undefined);
  const states = [`traceparent: ${TRACE}`, 'tracestate: a=1', 'tracestate: b=2'];
  assert.equal(await headerOf(states, 'tracestate'), 'a=1,b=2');
  assert.match((await headerOf(['X-Request-Id: forged'], 'fb-request'))!, UUID);
  assert.equal(await headerOf([`X-Forwarded-For: ${FORGED}`], 'fb-ip'), '127.0.0.0/24');
  raw.destroy();
  for (const [line, status] of [
    ['User-Agent: a\x01b', 400],
    ['User-Agent: a\x00b', 400],
    // Of the two parsers, only that of Node.js rejects DEL.
    ['User-Agent: a\x7fb', TRANSPORT === 'node' ? 400 : 200],
    [`X-Request-Id: ${'x'.repeat(20 * 1024)}`, 431],
  ] as const) {
    const other = new RawHttp(gateway.port);
    assert.equal(await ask([line], other), status, line.slice(0, 20));
    other.destroy();
    const records = await newRecords('all');
    const agents = records.map(({ headers }) => new Map(headers).get('fb-user-agent'));
    assert.deepEqual(agents, status === 200 ? ['a b'] : [], line.slice(0, 20));
  }
  assert.equal((await post('all', '{}')).status, 200);
  assert.equal((await newRecords('all')).length, 1);
});

test('every answer to a body names its request; the log names that of a rejected event', async () => {
  const large = Buffer.alloc(2 ** 20 + 1, 0x20);
  for (const [status, stream, body, headers] of [
    [200, 'marks', '{"id":"x"}', {}],
    [207, 'marks', '[{"id":"x"},7]', {}],
    [400, 'marks', '{"n":"no integer"}', {}],
    [400, 'marks', '{}', { 'Forebay-Resent': 'yes' }],
    [401, 'marks', '{}', { Authorization: 'Bearer wrong' }],
    [404, 'unknown', '{}', {}],
    [413, 'marks', large, {}],
    [415, 'marks', '{}', { 'Content-Type': 'text/html' }],
  ] as const) {
    const answer = await post(stream, body, headers);
    assert.equal(answer.status, status);
    assert.match(answer.requestId ?? '', UUID, `${status}`);
    if (answer.codes[0] !== 'schema') continue;
    const line = await untilLogged(gateway, 'event rejected').then(() =>
      until(() => logged(gateway, 'event rejected').find(({ code }) => code === 'schema'), {
        what: 'the line',
      }),
    );
    assert.equal(line.requestId, answer.requestId);
  }
  await newRecords('marks');
});

test('a preflight allows Forebay-Resent, and a page may read X-Request-Id', async () => {
  const page = { Origin: 'https://shop.example' };
  const preflight = await fetch(`${gateway.httpUrl}/events/marks`, {
    method: 'OPTIONS',
    headers: {
      ...page,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'forebay-resent',
    },
  });
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /, Forebay-Resent/);
  const response = await fetch(`${gateway.httpUrl}/events/marks`, {
    method: 'POST',
    headers: { ...page, ...keys.bearer('shop') },
    body: '{"id":"page"}',
  });
  assert.match(response.headers.get('access-control-expose-headers') ?? '', /X-Request-Id/);
  assert.deepEqual(await newMarks(), ['page']);
});

test('Forebay-Resent marks all events of a body, however it is sent', async () => {
  const events = [{ id: 'a' }, { id: 'b' }];
  const text = JSON.stringify(events);
  const marked = { 'Forebay-Resent': '1' };
  const padded = JSON.stringify([...events, { id: 'c', pad: 'x'.repeat(40_000) }, { id: 'd' }]);
  for (const [body, headers, query, expected] of [
    [text, marked, '', ['a*', 'b*']],
    [text, { 'Forebay-Resent': '0' }, '', ['a', 'b']],
    [text, {}, '?resent=1', ['a*', 'b*']],
    [text, {}, '?resent=%31', ['a*', 'b*']],
    [gzipSync(text), { ...marked, 'Content-Encoding': 'gzip' }, '', ['a*', 'b*']],
    [
      Buffer.from(encode(events)),
      { ...marked, 'Content-Type': 'application/msgpack' },
      '',
      ['a*', 'b*'],
    ],
    [
      '{"id":"a"}\n7\n{"id":"b"}',
      { ...marked, 'Content-Type': 'application/x-ndjson' },
      '',
      ['a*', 'b*'],
    ],
    [padded, marked, '', ['a*', 'b*', 'c*', 'd*']],
    [padded, {}, '', ['a', 'b', 'c', 'd']],
  ] as const) {
    await post('marks', body, headers, query);
    assert.deepEqual(await newMarks(), expected, JSON.stringify([headers, query]));
  }
  for (const [headers, query] of [
    [{ 'Forebay-Resent': '2' }, ''],
    [{ 'Forebay-Resent': '1, 1' }, ''],
    [{ 'Forebay-Resent': '9'.repeat(1_000) }, ''],
    [{}, '?resent=1&resent=0'],
    [{}, '?resent=5'],
    [{}, '?resent='],
  ] as const) {
    assert.deepEqual(
      (({ status, codes }) => [status, codes])(
        await post('marks', text, headers as Record<string, string>, query),
      ),
      [400, ['bad_request']],
    );
  }
  const twice = new RawHttp(gateway.port);
  const { Authorization } = keys.bearer('shop');
  twice.write(
    `POST /events/marks HTTP/1.1\r\nHost: a\r\nAuthorization: ${Authorization}\r\nForebay-Resent: 0\r\nForebay-Resent: 1\r\nContent-Length: 2\r\n\r\n{}`,
  );
  assert.equal((await twice.answer()).status, 400);
  twice.destroy();
  assert.deepEqual(await newMarks(), []);
});

test('the first N events of a connection are marked: rejected and broken ones count, in any frames', async () => {
  const client = await openSocket('marks', '?resent=7');
  const frames = [
    '{"id":"a"}',
    '[{"id":"b"},7,{"id":"d","n":"x"}]',
    '[{',
    '{"id":"f"}\n{"id":"g"}\n{"id":"h"}',
    '[]',
    '{"id":"i"}',
  ];
  // Together: some wait for the next turn of the event loop.
  const last = client.sendTogether(frames);
  await client.fate(last);
  assert.deepEqual(await newMarks(), ['a*', 'b*', 'f*', 'g*', 'h', 'i']);
  await client.close();
});

test('events of several streams count together, and a reload changes nothing', async () => {
  const client = await FrameClient.open(`${gateway.wsUrl}?resent=5`, keys.bearer('shop'));
  const event = (type: string, id: string) => `{"type":"${type}","id":"${id}"}`;
  await client.exchange(`[${event('marks', 'a')},${event('none', 'b')},${event('unknown', 'c')}]`);
  const reloads = logged(gateway, 'streams reloaded').length;
  writeFileSync(
    `${path}~`,
    FILE.replace('headers: [event-id, resent],', 'headers: [event-id, resent, transport],'),
  );
  renameSync(`${path}~`, path);
  await until(() => logged(gateway, 'streams reloaded').length > reloads, { what: 'the reload' });
  await client.exchange(`[${event('mild', 'd')},${event('marks', 'e')},${event('marks', 'f')}]`);
  await client.close();
  const records = await newRecords('marks');
  assert.deepEqual(
    records.map(({ headers }) => headers.map(([, value]) => value).join()),
    ['a,1', 'e,1,ws', 'f,ws'],
  );
  const [mild] = await newRecords('mild');
  assert.equal(new Map(mild?.headers).get('fb-resent'), '1');
});

test('a handshake with a bad number of repeats is refused with 400', async () => {
  const headers = { ...keys.bearer('shop'), 'Sec-WebSocket-Protocol': 'forebay.v1' };
  for (const query of [
    '?resent=',
    '?resent=-1',
    '?resent=1&resent=1',
    `?resent=${'9'.repeat(500)}`,
    '?resent=%zz',
  ]) {
    const statusOf = (response: unknown) => (response as { statusCode: number }).statusCode;
    const status = await upgrade(gateway.httpUrl, headers, { path: `/ws/marks${query}` }).then(
      () => 101,
      statusOf,
    );
    assert.equal(status, 400, query);
  }
});

test('MessagePack is stored as sent, next to JSON, with its content type', async () => {
  const events = [{ id: 'a', n: 1.5, list: [1, null, 'é'] }, { id: 'b' }];
  const client = await openSocket('sent');
  assert.deepEqual(await client.fate(client.sendBinary(Buffer.from(encode(events)))), []);
  assert.deepEqual(await client.exchange(JSON.stringify(events[1])), []);
  await client.close();
  const records = await newRecords('sent');
  const type = (name: string) => ['content-type', `application/${name}`];
  assert.deepEqual(
    records.map(({ value, headers }) => [value?.toString('hex'), headers]),
    [
      [Buffer.from(encode(events[0])).toString('hex'), [['fb-id', 'a'], type('msgpack')]],
      [Buffer.from(encode(events[1])).toString('hex'), [['fb-id', 'b'], type('msgpack')]],
      [Buffer.from(JSON.stringify(events[1])).toString('hex'), [['fb-id', 'b'], type('json')]],
    ],
  );
});

test('a time that the topic would reject is out of bounds, with two minutes to spare', async () => {
  const now = Date.now();
  const spare = LIMITS.timestampMarginMs;
  const own = [now, now - HOUR_MS + spare + 5_000, now + HOUR_MS - spare];
  const others = [now - HOUR_MS + spare - 1, now - 2 * HOUR_MS, now + HOUR_MS - spare + 60_000];
  const client = await openSocket('limited');
  const events = [...own, ...others].map((at) => `{"at":${at}}`);
  assert.deepEqual(await client.exchange(`[${events.join()}]`), []);
  await client.close();
  const records = await newRecords('limited');
  assert.equal(records.length, events.length);
  for (const [index, { timestamp, headers }] of records.entries()) {
    const isOwn = index < own.length;
    assert.deepEqual(headers, isOwn ? [] : [['fb-time', 'arrival']]);
    if (isOwn) assert.equal(timestamp, own[index]);
    else assert(Math.abs(timestamp - now) < 60_000, String(timestamp));
  }
});

test('Kafka rejects a timestamp: its event alone is rejected, all others keep their times', async () => {
  // The gateway has read the topic's configuration before.
  await setTopicConfig({ brokers, topic: topicOf('timed') }, BEFORE_MAX, String(HOUR_MS));
  const now = Date.now();
  // The topic accepts an hour, the stream a day.
  const times = [now, now - 2 * HOUR_MS, now - 1_000, now - 3 * HOUR_MS, now + 60_000, now - 2_000];
  const client = await openSocket('timed');
  const errors = await client.exchange(`[${times.map((at) => `{"at":${at}}`).join()}]`);
  assert.deepEqual(
    errors.map(({ code, events }) => [code, events]),
    [
      [
        'rejected_by_kafka',
        [
          [1, 1],
          [3, 3],
        ],
      ],
    ],
  );
  await client.close();
  const accepted = times.filter((_, index) => index !== 1 && index !== 3);
  const records = await newRecords('timed');
  assert.deepEqual(
    records.map(({ timestamp, value }) => [timestamp, String(value)]).sort(),
    accepted.map((at) => [at, `{"at":${at}}`]).sort(),
  );
});

test('all events are accounted for', async () => {
  const metrics = await metricsAtRest(gateway);
  assert.equal(metrics.value('forebay_events_unaccounted'), 0);
  assert.deepEqual(gateway.errors, []);
});

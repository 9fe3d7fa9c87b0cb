/** docs/openapi.yaml matches the gateway: its examples are sent, its statuses are reached. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { tokenHash } from '../../src/api-keys/token.ts';
import { LIMITS } from '../../src/config/limits.ts';
import { BUILT_IN_SCHEMA } from '../../src/worker/intake/validator.ts';
import { type Gateway, startGateway, TRANSPORT } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import { until } from '../../testing/wait.ts';
import {
  type ExampleRequest,
  judge,
  type Media,
  type NamedOperation,
  openSpec,
  operationsOf,
} from '../support/specs.ts';
import { type Upgraded, upgrade } from '../support/upgrade.ts';
import { useStage } from '../support/use-stage.ts';

const spec = openSpec('openapi');
const operations = operationsOf(spec);
const operation = (name: string) => operations.find((one) => one.name === name)!;
const POST = operation('post /events');
const WS = operation('get /ws');
const POST_STREAM = operation('post /events/{stream}');
const WS_STREAM = operation('get /ws/{stream}');
const STREAM = 'clicks';
const WEBSOCKETS = { transport: 'ws' };
const JSON_TYPE = { 'Content-Type': 'application/json' };
const TOKEN = 'for the operators';
const BEARER = { Authorization: `Bearer ${TOKEN}` };
/** Connection limits: per address of the stage, in total of the gateway without Kafka. */
const CONNECTIONS_MAX = 3;
const GOOD = '{"msg":"good","clientId":"till-7","timestamp":1}';

/** Allowed origin. */
const ORIGIN = 'https://shop.example';

const keys = new KeyFile();
const folder = mkdtempSync(join(tmpdir(), 'forebay-openapi-'));
/** Writes a stream file with the built-in schema for {@link STREAM}. @returns its path */
function streamFile(): string {
  writeFileSync(join(folder, 'schema.json'), JSON.stringify(BUILT_IN_SCHEMA));
  const path = join(folder, 'streams.yaml');
  const [clicks, others] = [uniqueTopic(), uniqueTopic()];
  const streams = [
    `${STREAM}: { topic: ${clicks}, create: {}, schema: { file: schema.json } }`,
    `default: { topic: ${others}, create: {} }`,
  ];
  const defaults = 'defaults: { headers: [request-id] }';
  writeFileSync(path, `version: 1\n${defaults}\nstreams:\n  ${streams.join('\n  ')}\n`);
  return path;
}

/** Settings of the stage, which {@link routed} shares. */
let env: Readonly<Record<string, string>> = {};
/** Requires an API key. */
const stage = useStage(() => {
  const slow = { eventsPerSecond: 1, burst: 1 };
  const entries = [{ name: 'quick' }, { name: 'slow', ...slow }].map((entry) => ({
    ...entry,
    sha256: tokenHash(keys.token(entry.name)),
  }));
  keys.writeText(JSON.stringify({ keys: entries }));
  env = {
    FOREBAY_ADMIN_TOKEN: TOKEN,
    FOREBAY_PRESTOP_MS: '60000',
    FOREBAY_KEYS_FILE: keys.path,
    FOREBAY_ORIGINS: ORIGIN,
    FOREBAY_MAX_CONNECTIONS_PER_ADDRESS: String(CONNECTIONS_MAX),
  };
  return { env, end: 'kill' };
});
/** Has a stream file. */
let routed: Gateway;
stage.atStart(async () => {
  const { brokers } = await sharedKafka();
  const settings = { ...env, FOREBAY_STREAMS_FILE: streamFile() };
  routed = await startGateway({ brokers, topic: uniqueTopic(), env: settings });
  stage.atEnd(() => routed.kill());
});
/** Has a stream file, but no Kafka. */
let alone: Gateway;
before(async () => {
  const [port] = await freePorts(1);
  const unreachable = {
    brokers: [`127.0.0.1:${port}`],
    topic: uniqueTopic(),
    ready: false,
    env: {
      FOREBAY_MAX_CONNECTIONS: String(CONNECTIONS_MAX),
      FOREBAY_STREAMS_FILE: streamFile(),
    },
  };
  alone = await startGateway(unreachable);
  const isAlive = async () => {
    const response = await fetch(`${alone.httpUrl}/livez`);
    // Otherwise each attempt keeps a connection of its own, and there are few.
    await response.text();
    return response.ok;
  };
  await until(isAlive, { what: 'a worker' });
});
after(async () => {
  await alone?.kill();
  keys.remove();
  rmSync(folder, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly header: (name: string) => string | null;
  readonly text: string;
}

interface Asked {
  readonly gateway?: Gateway;
  readonly port?: 'public' | 'admin';
  /** Stream in the path. */
  readonly stream?: string;
  /** With its question mark. */
  readonly query?: string;
  /** Default: the operation's own. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Documented statuses that were observed, as in `post /events 200`. */
const reached = new Set<string>();

/** Sends a request of the operation and validates the response by the document. */
async function ask(named: NamedOperation, asked: Asked = {}): Promise<Answer> {
  const { gateway = gatewayOf(named), port = portsOf(named)[0], query = '' } = asked;
  const { headers = {}, body } = asked;
  const isAdmin = port === 'admin';
  const url = (isAdmin ? gateway.adminUrl : gateway.httpUrl) + pathOf(named, asked.stream) + query;
  const response = await fetch(url, {
    method: asked.method ?? named.method.toUpperCase(),
    // A preflight has no credentials.
    headers: { ...(named.method !== 'options' && !isAdmin && keys.bearer('quick')), ...headers },
    ...(body !== undefined && { body: new Uint8Array(Buffer.from(body)) }),
  });
  const { status } = response;
  const answer = {
    status,
    header: (name: string) => response.headers.get(name),
    text: await response.text(),
  };
  assertDocumented(named, answer);
  if (named === POST || named === POST_STREAM) {
    const isNamed = answer.header('x-request-id') !== null;
    assert.equal(isNamed, gateway !== stage.gateway, `${named.name} ${status}: its id`);
  }
  return answer;
}

/** The gateway with a stream file for paths that name a stream. */
function gatewayOf({ path }: NamedOperation): Gateway {
  return path.endsWith('{stream}') ? routed : stage.gateway;
}

function pathOf({ path }: NamedOperation, stream = STREAM): string {
  return path.replace('{stream}', stream);
}

/** Returns the ports that serve an operation, by its servers. */
function portsOf({ path }: NamedOperation): ('public' | 'admin')[] {
  const servers = spec.paths[path]!.servers ?? spec.servers;
  return servers.map(({ url }) => (url.endsWith(':9001') ? 'admin' : 'public'));
}

function assertDocumented({ name, operation }: NamedOperation, answer: Answer): void {
  const what = `${name} ${answer.status}`;
  const documented = operation.responses[answer.status];
  assert(documented !== undefined, `${what} is not documented: ${answer.text}`);
  for (const [header, { required, schema }] of Object.entries(documented.headers ?? {})) {
    const text = answer.header(header);
    if (text === null) assert(required !== true, `${what}: ${header}`);
    else {
      const value = 'type' in schema && schema.type === 'integer' ? Number(text) : text;
      assert.equal(judge(Ajv2020, schema)(value), undefined, `${what}: ${header}: ${text}`);
    }
  }
  const type = answer.header('content-type')?.split(';')[0] ?? '';
  const media = documented.content?.[type];
  if (documented.content === undefined) assert.equal(answer.text, '', `${what}: a body`);
  else {
    assert(media !== undefined, `${what} as ${type}`);
    const value = type === 'application/json' ? JSON.parse(answer.text) : answer.text;
    assert.equal(judge(Ajv2020, media.schema)(value), undefined, `${what}: ${answer.text}`);
  }
  reached.add(what);
}

/** Fields of a response that are random, or missing on one port. */
const VARYING = ['retryAfterMs', 'version', 'transport'];

function withoutVarying(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value), (key, inner) =>
    VARYING.includes(key) ? undefined : inner,
  );
}

function mediaOf({ operation }: NamedOperation, status: string | number): Media {
  return operation.responses[status]!.content!['application/json']!;
}

function assertExample(named: NamedOperation, example: string, answer: Answer): void {
  const { value } = mediaOf(named, answer.status).examples![example]!;
  assert.deepEqual(
    withoutVarying(JSON.parse(answer.text)),
    withoutVarying(value),
    `${named.name}: ${example}`,
  );
}

function bytesOf(type: string, value: unknown): Buffer {
  if (type === 'application/msgpack') return Buffer.from(encode(value));
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
}

test('each example of a body has the documented 200, also gzipped, and is stored', async () => {
  for (const [type, { examples = {} }] of Object.entries(POST.operation.requestBody!.content)) {
    for (const [name, { value }] of Object.entries(examples)) {
      const body = bytesOf(type, value);
      const headers = { 'Content-Type': type };
      const packed = { ...headers, 'Content-Encoding': 'gzip' };
      const asked = [
        { headers, body },
        { headers: packed, body: gzipSync(body) },
      ];
      for (const one of asked) {
        const answer = await ask(POST, one);
        assert.equal(answer.status, 200, `${type} ${name}: ${answer.text}`);
        assertExample(POST, name, answer);
        const { accepted } = JSON.parse(answer.text) as { accepted: number };
        assert.equal((await stage.newValues()).length, accepted);
      }
    }
  }
});

test('each request of a response example has this response, on each port', async () => {
  let sent = 0;
  for (const named of operations) {
    for (const [status, { content = {} }] of Object.entries(named.operation.responses)) {
      const { examples = {} } = content['application/json'] ?? {};
      for (const [name, { 'x-request': request }] of Object.entries(examples)) {
        if (request === undefined) continue;
        for (const port of portsOf(named)) {
          const answer = await ask(named, { ...requestOf(request), port });
          assert.equal(answer.status, Number(status), `${named.name} ${name}: ${answer.text}`);
          assertExample(named, name, answer);
          sent++;
        }
      }
    }
  }
  assert(sent >= 10, `${sent} were sent`);
});

function requestOf({ method, type, encoding, origin, body }: ExampleRequest): Asked {
  const headers = {
    ...(type && { 'Content-Type': type }),
    ...(encoding && { 'Content-Encoding': encoding }),
    ...(origin && { Origin: origin }),
  };
  return { headers, ...(method && { method }), ...(body && { body }) };
}

for (const posted of [POST, POST_STREAM]) {
  test(`${posted.name}: 401, 403, 413, 415, 429, and 503 without Kafka`, async () => {
    const body = Buffer.alloc(LIMITS.bodyBytes + 1);
    const long = await ask(posted, { headers: JSON_TYPE, body });
    assert.equal(long.status, 413);
    assertExample(posted, 'tooLarge', long);
    for (const headers of [{ 'Content-Type': 'text/html' }, { 'Content-Encoding': 'compress' }]) {
      assert.equal((await ask(posted, { headers, body: GOOD })).status, 415);
    }
    const unknown = { ...JSON_TYPE, Authorization: 'Bearer other' };
    assert.equal((await ask(posted, { headers: unknown, body: GOOD })).status, 401);
    const elsewhere = { ...JSON_TYPE, Origin: 'https://elsewhere.example' };
    assert.equal((await ask(posted, { headers: elsewhere, body: GOOD })).status, 403);
    const slow = { ...JSON_TYPE, ...keys.bearer('slow') };
    const limited = await ask(posted, { headers: slow, body: `[${GOOD},${GOOD}]` });
    assert.equal(limited.status, 429, limited.text);
    const later = await ask(posted, { gateway: alone, headers: JSON_TYPE, body: GOOD });
    assert.equal(later.status, 503);
    assertExample(posted, 'later', later);
  });
}

test('POST /events/{stream}: 200, and 404 without such a stream', async () => {
  assert.equal((await ask(POST_STREAM, { headers: JSON_TYPE, body: GOOD })).status, 200);
  const unknown = await ask(POST_STREAM, { stream: 'other', headers: JSON_TYPE, body: GOOD });
  assert.equal(unknown.status, 404);
  assertExample(POST_STREAM, 'unknownStream', unknown);
  const { gateway } = stage;
  const none = await ask(POST_STREAM, { gateway, headers: JSON_TYPE, body: GOOD });
  assert.match(none.text, /"not_found"/, 'without a stream file');
});

test('?records=1: as documented, with and without a stream file; another value is 400', async () => {
  for (const [posted, stream] of [
    [POST, undefined],
    [POST_STREAM, STREAM],
  ] as const) {
    const answer = await ask(posted, { query: '?records=1', headers: JSON_TYPE, body: GOOD });
    assert.equal(answer.status, 200);
    const { records } = JSON.parse(answer.text);
    const [{ partition, timestamp, ...record }] = records;
    assert.equal(records.length, 1);
    const named = stream === undefined ? {} : { stream };
    const id = answer.header('x-request-id');
    const headers = id === null ? {} : { 'fb-request': id };
    assert.deepEqual(record, { event: 0, ...named, key: 'till-7', headers });
    const wrong = await ask(posted, { query: '?records=yes', headers: JSON_TYPE, body: GOOD });
    assert.equal(wrong.status, 400);
  }
});

test('?explain=1: as documented; another value is 400', async () => {
  const options = { headers: JSON_TYPE, body: '{"msg":1}' };
  // A machine under load may miss the time limit of the thread that explains.
  const explain = await until(async () => {
    const answer = await ask(POST, { query: '?explain=1', ...options });
    assert.equal(answer.status, 400);
    const { events, ...rest } = JSON.parse(answer.text).explain;
    return events[0] && { events, ...rest };
  });
  assert.deepEqual(
    explain.events[0].violations.map(({ message }: { message: string }) => message),
    [
      "must have required property 'clientId'",
      "must have required property 'timestamp'",
      'must be string',
    ],
  );
  assert.equal((await ask(POST, { query: '?explain=yes', ...options })).status, 400);
});

for (const name of ['options /events', 'options /events/{stream}'])
  test(`${name}: 204`, async () => {
    const preflight = operation(name);
    const documented = Object.keys(preflight.operation.responses[204]!.headers!);
    const method = { 'Access-Control-Request-Method': 'POST' };
    const headers = { Origin: ORIGIN, ...method };
    const answer = await ask(preflight, { headers });
    assert.equal(answer.status, 204);
    assert.equal(answer.header('access-control-allow-origin'), ORIGIN);
    for (const name of documented) assert(answer.header(name), name);
    const Origin = alone.httpUrl;
    const unlisted = await ask(preflight, { gateway: alone, headers: { Origin, ...method } });
    assert.deepEqual(
      documented.filter((name) => unlisted.header(name) === null),
      ['Access-Control-Allow-Credentials'],
    );
  });

/** Sends a handshake with exactly these headers and validates the response by the document. */
async function shake(
  named: NamedOperation,
  gateway: Gateway,
  headers: Record<string, string>,
  opened: Upgraded[] = [],
): Promise<number> {
  const all = { ...keys.bearer('quick'), ...headers };
  const answer = await upgrade(gateway.httpUrl, all, { path: pathOf(named) }).then(
    (upgraded) => {
      opened.push(upgraded);
      const header = (name: string) =>
        name.toLowerCase() === 'sec-websocket-protocol' ? (upgraded.protocol ?? null) : null;
      return { status: 101, header, text: '' };
    },
    async (refused: IncomingMessage) => {
      let text = '';
      for await (const data of refused) text += data;
      const header = (name: string) => refused.headers[name.toLowerCase()]?.toString() ?? null;
      return { status: refused.statusCode!, header, text };
    },
  );
  assertDocumented(named, answer);
  return answer.status;
}

for (const named of [WS, WS_STREAM]) {
  test(`${named.name}: 101, and each rejection of a handshake`, async () => {
    const gateway = gatewayOf(named);
    const opened: Upgraded[] = [];
    const acknowledged = { 'Sec-WebSocket-Protocol': 'forebay.v1' };
    assert.equal(await shake(named, gateway, acknowledged, opened), 101);
    assert.equal(await shake(named, gateway, {}, opened), 101);
    assert.equal(await shake(named, gateway, { 'Sec-WebSocket-Version': '8' }), 400);
    assert.equal(await shake(named, gateway, { Authorization: 'Bearer other' }), 401);
    assert.equal(await shake(named, gateway, { Origin: 'https://elsewhere.example' }), 403);
    assert.equal(await shake(named, gateway, { Expect: 'something else' }), 417);
    assert.equal((await ask(named)).status, 426);
    assert.equal(await shake(named, gateway, {}, opened), 101);
    assert.equal(await shake(named, gateway, {}), 429);
    if (named === WS_STREAM) assert.equal(await shake(named, stage.gateway, {}), 404);
    for (let more = 0; more < CONNECTIONS_MAX; more++) await shake(named, alone, {}, opened);
    assert.equal(await shake(named, alone, {}), 503);
    for (const upgraded of opened) upgraded.end();
    const left = async () => (await alone.metrics()).value('forebay_connections', WEBSOCKETS);
    await until(async () => (await left()) === 0, { what: 'closed connections' });
  });
}

test('health and the admin port: each status', async () => {
  const ready = await ask(operation('get /readyz'), { gateway: alone });
  assert.equal(ready.status, 503);
  assert.equal((await ask(operation('get /metrics'))).status, 200);
  assert.equal((await ask(operation('get /streams'), { gateway: routed })).status, 200);
  const none = await ask(operation('get /streams'));
  assertExample(operation('get /streams'), 'none', none);
  for (const path of ['get /livez', 'get /readyz', 'get /metrics', 'get /streams']) {
    for (const port of portsOf(operation(path))) {
      const answer = await ask(operation(path), { method: 'PUT', port });
      assertExample(operation(path), 'wrongMethod', answer);
    }
  }
  for (const path of ['post /drain', 'post /workers/restart']) {
    const command = operation(path);
    assertExample(command, 'unauthorized', await ask(command));
    const page = { ...BEARER, Origin: 'https://elsewhere.example' };
    assertExample(command, 'webPage', await ask(command, { headers: page }));
    assertExample(command, 'wrongMethod', await ask(command, { method: 'PUT' }));
  }
});

test('/readyz reports version and transport on the admin port only', async () => {
  const { adminUrl, httpUrl } = stage.gateway;
  const [admin, client] = await Promise.all(
    [adminUrl, httpUrl].map(async (url) => (await fetch(`${url}/readyz`)).json()),
  );
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  assert.deepEqual(admin, { ready: true, reasons: [], version, transport: TRANSPORT });
  assert.deepEqual(client, { ready: true, reasons: [] });
});

test('commands are accepted, and a drain shows on both ports', async () => {
  const [drain, restart] = [operation('post /drain'), operation('post /workers/restart')];
  const begun = await ask(drain, { headers: BEARER });
  assert.equal(begun.status, 202);
  assertExample(drain, 'begun', begun);
  for (const port of portsOf(operation('get /readyz'))) {
    await until(async () => (await ask(operation('get /readyz'), { port })).status === 503);
    assertExample(
      operation('get /readyz'),
      'draining',
      await ask(operation('get /readyz'), { port }),
    );
  }
  assertExample(restart, 'draining', await ask(restart, { headers: BEARER }));
  // The other gateway has no token, and is on loopback.
  const roll = await ask(restart, { gateway: alone });
  assertExample(restart, 'begun', roll);
});

/** Statuses that other tests reach, and where. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'post /events 408': 'takes the time limit of a body: the test of request_timeout',
  'post /events 417': 'fetch sends no Expect: the tests of expectation_failed',
  'post /events/{stream} 408': 'as POST /events',
  'post /events/{stream} 417': 'as POST /events',
};

test('every documented status was reached here or is tested elsewhere', () => {
  const documented = operations.flatMap(({ name, operation: { responses } }) =>
    Object.keys(responses).map((status) => `${name} ${status}`),
  );
  const unseen = documented.filter((status) => !reached.has(status));
  assert.deepEqual(unseen.sort(), Object.keys(ELSEWHERE).sort());
  for (const gateway of [stage.gateway, routed, alone]) assert.deepEqual(gateway.errors, []);
});

/** The HTTP handler without its sockets: cases that are hard to reach from outside. */
import assert, { AssertionError } from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import pino from 'pino';
import { tokenHash } from '../../../../src/api-keys/token.ts';
import { KIB, LIMITS, MIB } from '../../../../src/config/limits.ts';
import { type Counters, cells } from '../../../../src/metrics/counters.ts';
import { IMPLICIT_SLOTS } from '../../../../src/metrics/slots.ts';
import type { Budget } from '../../../../src/worker/accumulator/budget.ts';
import type { RejectionEntry } from '../../../../src/worker/acknowledger/rejections.ts';
import { Authenticator } from '../../../../src/worker/admission/authenticator.ts';
import { ANONYMOUS, type AuthResult } from '../../../../src/worker/admission/identity.ts';
import { KeyRing } from '../../../../src/worker/admission/key-ring.ts';
import { Origins } from '../../../../src/worker/admission/origins.ts';
import type { HttpHandler } from '../../../../src/worker/ingress/http/http-handler.ts';
import type {
  PageSettings,
  PageStream,
} from '../../../../src/worker/ingress/http/page-response.ts';
import { loadValidator, type Validator } from '../../../../src/worker/intake/validator.ts';
import { InputMemory } from '../../../../src/worker/overload/input-memory.ts';
import { TurnBudget } from '../../../../src/worker/overload/turn-budget.ts';
import type { IngressParts } from '../../../../src/worker/wire.ts';
import { arrayOf, good } from '../../../../testing/events.ts';
import { until } from '../../../../testing/wait.ts';
import { FakeResponse, fakeRequest } from '../../../fakes/uws.ts';
import { createStages, NO_PAGE, pageStreamOf } from '../stages.ts';

const REFUSED = cells('forebay_requests_refused_total', ['unauthorized', 'request_timeout']);
const RECEIVED = cells('forebay_events_received_total', ['http']).http;
const FULL = cells('forebay_events_refused_total', ['buffer_full']).buffer_full;
const TOKEN = 'fbk_test';
let handler: HttpHandler;
let counters: Counters;
let budget: Budget;
/** Limits of events that the fast path does not accept. */
let validate: Validator;

beforeEach(() => {
  validate = loadValidator(undefined);
  handler = createListener();
});

/** @param parts overrides */
function createListener(parts: Partial<IngressParts> = {}, httpTimeoutMs = 15_000): HttpHandler {
  const validating: Validator = (value) => validate(value);
  // On a machine of any speed, a turn has time.
  const turn = new TurnBudget({ now: () => 0, cpuMs: () => 0 });
  const all = { turn, ...parts };
  const stages = createStages({ validate: validating, settings: { httpTimeoutMs }, parts: all });
  ({ counters, budget } = stages);
  stages.webSocket.close();
  return stages.http;
}
afterEach(() => handler.close());

/** Runs `before` for a handler with other options. */
function replaced(before: HttpHandler, parts: Partial<IngressParts>): HttpHandler {
  before.close();
  return createListener(parts);
}

/** A turn of the event loop, and a function that spends its time. */
function spentLater() {
  let nowMs = 0;
  const turn = new TurnBudget({ now: () => nowMs, cpuMs: () => nowMs });
  const spend = () => {
    turn.spend(LIMITS.turn.checkBytes);
    nowMs += LIMITS.turn.workMs;
    turn.spend(LIMITS.turn.checkBytes);
    assert(turn.spent);
  };
  return { turn, spend };
}

function ask(
  method: string,
  path: string,
  headers: Record<string, string> = {},
  address?: readonly number[],
): FakeResponse {
  const response = new FakeResponse({ address });
  handler.handle(response, fakeRequest(method, path, headers));
  return response;
}

function post(
  body: string | Buffer,
  headers: Record<string, string> = {},
  address?: readonly number[],
): FakeResponse {
  const bytes = Buffer.from(body);
  const length = { 'content-length': String(bytes.length) };
  const response = ask('POST', '/events', { ...length, ...headers }, address);
  response.deliver(bytes, true);
  return response;
}

test('in a turn without time left, responses wait for its end: otherwise pipelined requests extend it', async () => {
  const { turn, spend } = spentLater();
  handler = replaced(handler, { turn });
  assert.equal(ask('GET', '/livez').status, 200, 'there is time left');
  spend();
  const asked = [
    ask('GET', '/livez'),
    ask('HEAD', '/client.js'),
    ask('OPTIONS', '/events'),
    post(good('x'), { 'content-type': 'text/plain; charset=latin1' }),
  ];
  const gone = ask('GET', '/livez');
  gone.abort();
  assert(asked.every(({ ended }) => !ended));
  await nextTurn();
  assert.deepEqual(
    asked.map(({ status }) => status),
    [200, 200, 204, 415],
  );
});

test('the body of a response waits while its client reads no earlier one', () => {
  const response = new FakeResponse();
  response.unread = true;
  handler.handle(response, fakeRequest('GET', '/client.js', {}));
  assert.deepEqual([response.body, response.ended], ['', false]);
  assert.equal(response.writable?.(), false, 'still unread');
  response.unread = false;
  assert.equal(response.writable?.(), true);
  assert(response.ended);
  assert.match(response.body, /WebSocket/);
});

test('a malformed request for the stored records is rejected as a whole', () => {
  const asked = (query: string) => {
    const body = '[]';
    const length = { 'content-length': String(body.length) };
    const response = ask('POST', `/events${query}`, length);
    response.deliver(Buffer.from(body), true);
    return [response.status, response.body.trimEnd()];
  };
  for (const query of ['', '?', '?records=0', '?other=2']) {
    assert.deepEqual(asked(query), [200, '{"accepted":0,"errors":[]}'], query);
  }
  const shown = [200, '{"accepted":0,"errors":[],"records":[]}'];
  for (const query of ['?records=1', '?a=b&records=1&resent=1']) {
    assert.deepEqual(asked(query), shown, query);
  }
  for (const query of ['?records=2', '?records=', '?records', '?records=1&records=1']) {
    const [status, body] = asked(query);
    assert.equal(status, 400, query);
    assert.match(String(body), /"code":"bad_request","message":"records must be 0 or 1"/);
  }
});

test('a body rejected undecoded is rejected at the end of a turn without time left', async () => {
  const { turn, spend } = spentLater();
  const rate = { eventsPerSecond: 0.001, burst: 1 };
  const keys = new KeyRing();
  keys.replace([{ name: 'k', sha256: tokenHash(TOKEN), endsAtMs: Number.POSITIVE_INFINITY, rate }]);
  const log = pino({ level: 'silent' });
  const authenticator = new Authenticator({ origins: new Origins(undefined), keys, log });
  handler = replaced(handler, { authenticator, turn });
  const headers = { authorization: `Bearer ${TOKEN}` };
  assert.equal(post('[1,2]', headers).status, 400, 'from now on its bucket is in debt');
  assert.equal(post(good('x'), headers).status, 429);
  spend();
  const late = post(good('x'), headers);
  assert.deepEqual([late.ended, handler.decoding], [false, true]);
  await nextTurn();
  assert.deepEqual([late.status, handler.decoding], [429, false]);
});

test('bodies without a slot are rejected a few per turn: each response brings another body', async () => {
  const { turn, spend } = spentLater();
  handler = replaced(handler, { turn });
  const taken = Array.from({ length: LIMITS.waitingBodies }, (_, i) =>
    post(LONG, {}, addressOf(i)),
  );
  spend();
  const others = LIMITS.resumedBodies + 3;
  const late = Array.from({ length: others }, () => post(LONG, {}, addressOf(200)));
  const rejected = () => late.filter(({ status }) => status === 503).length;
  assert.equal(rejected(), 0);
  await nextTurn();
  assert.equal(rejected(), LIMITS.resumedBodies);
  await until(() => [...taken, ...late].every(({ status }) => status !== undefined));
  assert.deepEqual([rejected(), handler.decoding], [others, false]);
});

test('while draining, every response closes its connection or asks the client to', async () => {
  const length = { 'content-length': '5' };
  const cases: [string, () => FakeResponse, 'closes' | 'announces'][] = [
    ['200', () => ask('GET', '/livez'), 'closes'],
    ['404', () => ask('GET', '/nothing'), 'closes'],
    ['405', () => ask('GET', '/events'), 'closes'],
    ['events', () => post('[]'), 'closes'],
    ['HEAD', () => ask('HEAD', '/livez'), 'closes'],
    ['HEAD 405', () => ask('HEAD', '/events'), 'closes'],
    ['OPTIONS', () => ask('OPTIONS', '/events'), 'announces'],
    // The body is still to come: a close would reset the connection before the response is read.
    ['404 with a body', () => ask('POST', '/nothing', length), 'announces'],
    ['405 with a body', () => ask('PUT', '/events', length), 'announces'],
    ['415', () => ask('POST', '/events', { ...length, 'content-type': 'a/b' }), 'announces'],
    ['415 chunked', () => ask('PUT', '/livez', { 'transfer-encoding': 'chunked' }), 'announces'],
    ['413', () => ask('POST', '/events', { 'content-length': '9999999' }), 'announces'],
    ['413 later', () => post(' '.repeat(MIB + 1), { 'content-length': '' }), 'announces'],
  ];
  for (const [name, answer] of cases) {
    const { closes, headers } = answer();
    const how = [closes, headers.get('Connection'), headers.get('Keep-Alive')];
    assert.deepEqual(how, [false, 'keep-alive', 'timeout=6'], `before: ${name}`);
  }
  handler.drain();
  for (const [name, answer, how] of cases) {
    const response = answer();
    // Later, while uWebSockets.js may still be reading.
    await until(() => response.status !== undefined);
    const { closes, headers } = response;
    assert.equal(closes, how !== 'announces', name);
    // uWebSockets.js adds the header when it closes.
    assert.equal(headers.get('Connection'), how === 'closes' ? undefined : 'close', name);
    assert.equal(headers.get('Keep-Alive'), undefined, name);
  }
  assert.equal(handler.busy, false);
});

/** Bodies that are decoded in slices, and decompressed. */
const LONG = `[${Array(200).fill('{}').join(',')}${' '.repeat(LIMITS.oneShotBytes)}]`;
/** As LONG, in lines. */
const LINES = `${'{}\n'.repeat(200)}${' '.repeat(LIMITS.oneShotBytes)}`;
const GZIP = { 'content-encoding': 'gzip' };
const PACKED = gzipSync('[{}]');
/** 192.0.2.`sender` */
const addressOf = (sender: number) => [192, 0, 2, sender];

test('a limited number of long bodies may wait; one more is buffer_full and may be retried', async () => {
  const waiting = Array.from({ length: LIMITS.waitingBodies }, (_, index) =>
    index % 2 === 0 ? post(LONG, {}, addressOf(index)) : post(PACKED, GZIP, addressOf(index)),
  );
  assert(handler.decoding, 'they are not decoded');
  for (const { status } of waiting) assert.equal(status, undefined);
  for (const one of [post(LONG), post(PACKED, GZIP)]) {
    assert.equal(one.status, 503);
    assert.match(one.body, /^\{"accepted":0,"errors":\[\{"code":"buffer_full","retry":true,"me/);
    assert.match(one.headers.get('Retry-After') ?? '', /^1$/);
  }
  const short = post('{}');
  await until(() => short.status !== undefined);
  assert.equal(short.status, 400, 'a short one is still accepted');
  await until(() => waiting.every(({ status }) => status !== undefined));
  for (const { status } of waiting) assert.equal(status, 400);
  assert.equal(handler.decoding, false);
  assert.equal(post(LONG).status, undefined, 'a slot is free again');
});

for (const [name, body, headers] of [
  ['long', LONG, {}],
  ['packed', PACKED, GZIP],
  ['of unknown length', LONG, { 'content-length': '' }],
] as const) {
  test(`bodies that are ${name}: an address may hold half of the slots, another one gets one`, async () => {
    const flood = Array.from({ length: 80 }, () => post(body, headers));
    const held = flood.filter(({ status }) => status === undefined);
    assert.equal(held.length, LIMITS.waitingBodies / 2);
    const others = [2, 3, 4, 5].map((sender) => post(body, headers, addressOf(sender)));
    for (const { status } of others) assert.equal(status, undefined);
    await until(() => [...held, ...others].every(({ status }) => status === 400));
    assert.equal(post(body, headers).status, undefined, 'a slot is free again');
  });
}

test('a body that finds the buffer full is rejected as a whole, whatever its type, and counts its events', async () => {
  const bytes = budget.eventLimitBytes;
  budget.forceCharge(bytes);
  const lines = { 'content-type': 'application/x-ndjson' };
  const packed = { 'content-type': 'application/msgpack' };
  let expected = 0;
  for (const [body, headers, events] of [
    ['[{},7]', {}, 2],
    ['{broken\n{}', lines, 2],
    [Buffer.of(0x93, 0x80, 0x80, 0x80), packed, 3],
    [LONG, {}, 200],
    [LINES, lines, 200],
    [gzipSync('[{},{}]'), GZIP, 2],
    ['{broken', {}, 1],
  ] as const) {
    const response = post(body, headers);
    await until(() => response.status !== undefined);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get('Retry-After'), '1');
    const { accepted, errors } = JSON.parse(response.body) as { accepted: 0; errors: object[] };
    const [{ retryAfterMs, ...error }] = errors as [RejectionEntry];
    const message = 'the buffer is full';
    assert.deepEqual([accepted, errors.length], [0, 1]);
    assert.deepEqual(error, { code: 'buffer_full', retry: true, message });
    assert(retryAfterMs! > 0);
    expected += events;
    assert.deepEqual([counters.values[RECEIVED], counters.values[FULL]], [expected, expected]);
  }
  assert.equal(post('[]').status, 200);
  budget.release(bytes);
  assert.equal(post('[{}]').status, 400, 'it has room');
});

test('with keys, slots are shared by key: one key on many addresses leaves slots for another key', async () => {
  const keys = new KeyRing();
  const entry = { endsAtMs: Number.POSITIVE_INFINITY, rate: undefined };
  keys.replace(['a', 'b'].map((name) => ({ ...entry, name, sha256: tokenHash(`fbk_${name}`) })));
  const authenticator = new Authenticator({
    origins: new Origins(undefined),
    keys,
    log: pino({ level: 'silent' }),
  });
  handler.close();
  handler = createListener({ authenticator });
  const by = (key: string) => ({ authorization: `Bearer fbk_${key}` });
  const flood = Array.from({ length: 80 }, (_, index) => post(LONG, by('a'), addressOf(index)));
  const held = flood.filter(({ status }) => status === undefined);
  assert.equal(held.length, LIMITS.waitingBodies / 2);
  const other = post(LONG, by('b'));
  await until(() => [...held, other].every(({ status }) => status === 400));
});

test('waiting bodies are charged; an evicted one is buffer_full and may be retried', async () => {
  const input = new InputMemory(4 * MIB);
  handler.close();
  handler = createListener({ inputMemory: input });
  const text = `[${Array(200).fill('{}').join(',')}${' '.repeat(700 * KIB)}]`;
  const packed = gzipSync(text);
  const fitting = Math.floor(input.limitBytes / text.length);
  const plain = Array.from({ length: fitting + 2 }, () => post(text));
  assert.equal(input.bytes, fitting * text.length);
  await until(() => plain.every(({ status }) => status !== undefined));
  const statuses = plain.map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 400).length, fitting);
  // Decompressed bytes are charged as they arrive.
  const others = input.allocate(() => assert.fail('it is pinned'));
  others.resize(input.limitBytes - text.length / 2);
  others.pin();
  const inflated = post(packed, { 'content-encoding': 'gzip' });
  assert(input.bytes < input.limitBytes, 'it fits compressed');
  await until(() => inflated.status !== undefined);
  others.release();
  for (const { status, body, headers } of [...plain, inflated]) {
    if (status === 400) continue;
    assert.equal(status, 503);
    assert.match(body, /"buffer_full","retry":true/);
    assert.equal(headers.get('Retry-After'), '1');
  }
  assert.equal(inflated.status, 503);
  assert.deepEqual([handler.decoding, handler.busy, input.bytes], [false, false, 0]);
});

test('a body that holds memory for long is 408 with a message, deferred or read; the next one is accepted', async (t) => {
  const log = pino({ level: 'silent' });
  const authenticator = new Authenticator({
    origins: new Origins(undefined),
    log,
    keys: new KeyRing(),
  });
  let authenticate!: (auth: AuthResult) => void;
  const auth = new Promise<AuthResult>((resolve) => {
    authenticate = resolve;
  });
  const verdicts = [ANONYMOUS, auth, ANONYMOUS];
  t.mock.method(authenticator, 'authenticate', () => verdicts.shift());
  let ms = 0;
  const input = new InputMemory(4 * MIB, () => ++ms);
  handler.close();
  handler = createListener({ authenticator, inputMemory: input });
  const begun = () => ask('POST', '/events', { 'content-length': `${MIB}` });
  const [read, held] = [begun(), begun()];
  for (const response of [read, held]) response.deliver(Buffer.alloc(MIB - 1), false);
  assert.equal(input.bytes, 2 * (MIB - 1) + LIMITS.chunkOverheadBytes);
  input.evictDownTo(MIB / 2);
  await until(() => read.status !== undefined && held.status !== undefined);
  for (const { status, body, closes } of [read, held]) {
    assert.deepEqual([status, closes], [408, true]);
    assert.match(body, /"request_timeout".*memory for incomplete input was exhausted/);
  }
  authenticate(ANONYMOUS);
  await auth;
  assert.deepEqual([input.bytes, handler.busy], [0, false]);
  assert.equal(counters.values[REFUSED.request_timeout], 2);
  assert.equal(post('[]').status, 200);
});

test('a body has its own memory: later data on the connection does not change it', async () => {
  const response = post(
    `[${Array(20)
      .fill(good('x', { msg: 1 }))
      .join(`,${' '.repeat(1_000)}`)}]`,
  );
  await until(() => response.status !== undefined);
  assert.match(
    response.body,
    /^\{"accepted":0,"errors":\[\{"code":"schema",.*"events":\[\[0,19\]\]/,
  );
});

test('a rate counts a long body as one: Retry-After covers all of its rejected events', async () => {
  const rate = { eventsPerSecond: 1, burst: 1_000 };
  const keys = new KeyRing();
  const sha256 = tokenHash(TOKEN);
  keys.replace([{ name: 'k', sha256, endsAtMs: Number.POSITIVE_INFINITY, rate }]);
  const log = pino({ level: 'silent' });
  const authenticator = new Authenticator({ origins: new Origins(undefined), keys, log });
  handler.close();
  handler = createListener({ authenticator }, 1);
  const events = Array.from({ length: 1_900 }, () => good('x', { filling: 'x'.repeat(50) }));
  const response = post(arrayOf(events), { authorization: `Bearer ${TOKEN}` });
  await until(() => response.status !== undefined);
  const { errors } = JSON.parse(response.body) as { errors: RejectionEntry[] };
  const { events: refused, retryAfterMs = 0 } = errors.find(({ code }) => code === 'rate_limited')!;
  assert.deepEqual(refused, [[1_000, 1_899]]);
  assert(retryAfterMs > 880_000, `${retryAfterMs} ms for 900 events at one a second`);
});

test('an internal error in a body, short or long, closes its connection and frees its slot', async () => {
  validate = () => {
    throw new RangeError('thrown');
  };
  const odd = good('x', { msg: 1 });
  for (const body of [odd, arrayOf(Array(500).fill(odd))]) {
    const response = post(body);
    await until(() => response.ended);
    assert.equal(response.status, undefined, 'an unknown result is not reported');
    assert.deepEqual([handler.busy, handler.decoding], [false, false]);
  }
  validate = () => assert.fail('the state is wrong');
  assert.throws(() => post(odd), AssertionError);
});

test('a body that timed out is answered 408 once, whatever authentication returns later', async (t) => {
  handler.close();
  t.mock.timers.enable({ apis: ['setInterval'] });
  const log = pino({ level: 'silent' });
  for (const late of ['unauthorized', ANONYMOUS] as const) {
    let authenticate: (auth: AuthResult) => void = () => {};
    const auth = new Promise<AuthResult>((resolve) => {
      authenticate = resolve;
    });
    const authenticator = new Authenticator({
      origins: new Origins(undefined),
      log,
      keys: new KeyRing(),
    });
    t.mock.method(authenticator, 'authenticate', () => auth);
    handler = createListener({ authenticator });
    const response = ask('POST', '/events', {
      'content-length': '9',
      authorization: 'Bearer a.b.c',
    });
    t.mock.timers.tick(LIMITS.bodyGraceMs + LIMITS.bodyCheckMs);
    authenticate(late);
    await until(() => response.ended);
    await new Promise(setImmediate);
    assert.equal(response.status, 408);
    const counts = [REFUSED.request_timeout, REFUSED.unauthorized].map((at) => counters.values[at]);
    assert.deepEqual(counts, [1, 0], 'it is rejected once');
    assert.equal(handler.busy, false);
    handler.close();
  }
});

test('above the memory limit, HEAD closes its connection, and OPTIONS has a body: unread, others would accumulate', async () => {
  const memory = { exceeded: false };
  handler.close();
  handler = createListener({ memory });
  const respond = async (method: string, url: string) => {
    const response = ask(method, url);
    await until(() => response.ended);
    return response;
  };
  for (const exceeded of [false, true]) {
    memory.exceeded = exceeded;
    for (const url of ['/livez', '/none', '/events', '/client.js']) {
      assert.equal((await respond('HEAD', url)).closes, exceeded, `HEAD ${url}`);
      assert(!(await respond('GET', url)).closes, `GET ${url}`);
    }
    for (const url of ['/livez', '/events']) {
      const { status, body } = await respond('OPTIONS', url);
      assert.equal(status, exceeded ? 503 : 204, `OPTIONS ${url}`);
      assert.equal(body.includes('"buffer_full"'), exceeded, body);
    }
  }
});

test('a permitted page may read every response, a foreign one none; any page may load the library', async (t) => {
  const verdicts: (AuthResult | Promise<AuthResult>)[] = [];
  const log = pino({ level: 'silent' });
  const authenticator = new Authenticator({
    origins: new Origins(['https://a.example']),
    log,
    keys: new KeyRing(),
  });
  t.mock.method(authenticator, 'authenticate', () => verdicts.shift() ?? ANONYMOUS);
  const memory = { exceeded: false };
  handler.close();
  t.mock.timers.enable({ apis: ['setInterval'] });
  handler = createListener({ authenticator, memory });
  const page = { origin: 'https://a.example' };
  const sent = (headers: Record<string, string>) => ask('POST', '/events', { ...page, ...headers });
  const authenticating = (auth: AuthResult | Promise<AuthResult>) => {
    verdicts.push(auth);
    return sent({});
  };
  const late = () => {
    const response = sent({});
    t.mock.timers.tick(LIMITS.bodyGraceMs + LIMITS.bodyCheckMs);
    return response;
  };
  const whenShort = () => {
    memory.exceeded = true;
    const response = sent({});
    memory.exceeded = false;
    return response;
  };
  const long = { ...page, 'content-length': '' };
  const responses: [number, () => FakeResponse][] = [
    [200, () => post('[]', page)],
    [400, () => post('{', page)],
    [400, () => post('{', { ...page, 'content-encoding': 'gzip' })],
    [401, () => authenticating('unauthorized')],
    [401, () => authenticating(Promise.resolve('unauthorized'))],
    [405, () => ask('GET', '/events', page)],
    [408, late],
    [413, () => sent({ 'content-length': '9999999' })],
    [413, () => post(' '.repeat(MIB + 1), long)],
    [415, () => sent({ 'content-type': 'a/b' })],
    [415, () => sent({ 'content-encoding': 'compress' })],
    [503, () => authenticating('identity_unavailable')],
    [503, () => authenticating(Promise.resolve('identity_unavailable'))],
    [503, whenShort],
  ];
  for (const [status, answer] of responses) {
    const response = answer();
    await until(() => response.ended);
    assert.equal(response.status, status);
    assert.equal(response.headers.get('Access-Control-Allow-Origin'), page.origin, `${status}`);
    assert.equal(
      response.headers.get('Access-Control-Expose-Headers'),
      'Retry-After, X-Request-Id',
    );
    assert.equal(response.headers.get('Vary'), 'Origin');
  }
  const foreign = { origin: 'https://b.example' };
  for (const response of [post('[]', foreign), ask('GET', '/events', foreign), ask('GET', '/')]) {
    assert.equal(response.headers.get('Access-Control-Allow-Origin'), undefined);
  }
  const library = ask('GET', '/client.js', foreign);
  assert.equal(library.headers.get('Access-Control-Allow-Origin'), '*');
  handler.close();
});

test('page.json lists the streams of a stream file that the client may write to', async () => {
  const streams = [pageStreamOf('hidden', false), pageStreamOf('a'), pageStreamOf('b')];
  const open = (page: Partial<PageSettings>) => {
    handler.close();
    handler = createListener({ page: { ...NO_PAGE, areDeclared: true, ...page } });
  };
  const seen = async (path: string) => {
    const response = ask('GET', path);
    await until(() => response.status !== undefined);
    const { streams: names, stream, topic } = JSON.parse(response.body);
    return { names, stream, topic };
  };
  open({ streams });
  const first = { names: ['a', 'b'], stream: 'a', topic: 'topic' };
  assert.deepEqual(await seen('/page.json'), first);
  assert.deepEqual(await seen('/page.json/b'), { ...first, stream: 'b' });
  for (const other of ['hidden', 'none', 'a/b', '%62']) {
    assert.deepEqual(await seen(`/page.json/${other}`), first, other);
  }
  open({ streams: [pageStreamOf('a', false)] });
  const none = { names: [], stream: undefined, topic: undefined };
  assert.deepEqual(await seen('/page.json'), none);
  open({ streams, areDeclared: false });
  assert.equal((await seen('/page.json')).names, undefined, 'without a stream file');
});

test('page.json lists open streams without a key, and no stream that excludes the origin', async () => {
  const log = pino({ level: 'silent' });
  const keys = new KeyRing();
  const endsAtMs = Number.POSITIVE_INFINITY;
  keys.replace([{ name: 'k', sha256: tokenHash(TOKEN), endsAtMs, rate: undefined }]);
  const authenticator = new Authenticator({ origins: new Origins(undefined), keys, log });
  const streamOf = (name: string, permits: PageStream['permits']) => ({
    ...pageStreamOf(name),
    idField: `${name}.id`,
    permits,
  });
  const keyed = streamOf('keyed', ({ identity }) => identity !== ANONYMOUS);
  const open = streamOf('open', () => true);
  const shop = streamOf('shop', ({ origin }) => ['', 'https://shop.example'].includes(origin));
  const seen = async (
    streams: readonly PageStream[],
    path: string,
    headers: Record<string, string> = {},
    areDeclared = true,
  ) => {
    handler.close();
    handler = createListener({ authenticator, page: { ...NO_PAGE, areDeclared, streams } });
    const response = ask('GET', path, headers);
    await until(() => response.status !== undefined);
    const { ready, reasons, keyField, ...answer } = JSON.parse(response.body);
    return answer;
  };
  const withKey = { authorization: `Bearer ${TOKEN}` };
  const example = { event: { msg: 'text' }, vary: [] };
  const ofOpen = { stream: 'open', idField: 'open.id', example };
  const place = { topic: 'topic', brokers: NO_PAGE.brokers };
  const rejected = { rejected: 'unauthorized' };
  const all = [keyed, shop, open];
  const here = '?origin=http%3A%2F%2F127.0.0.1%3A9000';
  assert.deepEqual(await seen(all, `/page.json/keyed${here}`), {
    streams: ['open'],
    ...ofOpen,
    anonymous: true,
  });
  assert.deepEqual(await seen(all, `/page.json/open${here}`, withKey), {
    streams: ['keyed', 'open'],
    ...ofOpen,
    ...place,
  });
  for (const path of ['/page.json?origin=https%3A%2F%2Fshop.example', '/page.json']) {
    assert.deepEqual((await seen(all, path, withKey)).streams, ['keyed', 'shop', 'open']);
  }
  const foreign = { ...withKey, origin: 'https://other.example' };
  assert.deepEqual((await seen(all, '/page.json', foreign)).streams, ['keyed', 'open']);
  assert.deepEqual(await seen([keyed, shop], `/page.json${here}`), rejected, 'no open one');
  assert.deepEqual(await seen([open], '/page.json', {}, false), rejected, 'no stream file');
  const wrong = { authorization: 'Bearer wrong' };
  assert.deepEqual(await seen(all, '/page.json', wrong), rejected);
});

test('page.json reports readiness and outages to all pages; topic and brokers only to authenticated clients', async () => {
  const readiness = { ready: false, reasons: ['draining'] };
  const authenticator = new Authenticator({
    origins: new Origins(undefined),
    log: pino({ enabled: false }),
    keys: new KeyRing(),
  });
  const endsAtMs = Number.POSITIVE_INFINITY;
  const entry = { name: 'page', sha256: tokenHash(TOKEN), endsAtMs, rate: undefined };
  const outage = { scope: 'all', effect: 'e', reason: 'r', sinceMs: 1 } as const;
  const page = { ...NO_PAGE, outage: () => outage };
  const seen = { ...readiness, outage };
  const known = { topic: 'topic', brokers: ['broker:9092'], keyField: 'clientId', idField: 'id' };
  const all = { ...seen, ...known, example: { event: { msg: 'text' }, vary: [] } };
  for (const [keys, authorization, expected] of [
    [false, '', all],
    [true, '', { ...seen, rejected: 'unauthorized' }],
    [true, 'Bearer wrong', { ...seen, rejected: 'unauthorized' }],
    [true, `Bearer ${TOKEN}`, all],
  ] as const) {
    handler.close();
    const message = {
      type: 'keys',
      keys: [entry],
      keySet: undefined,
      slots: IMPLICIT_SLOTS,
    } as const;
    if (keys) authenticator.setKeys(message);
    handler = createListener({
      readiness: () => readiness,
      page,
      ...(keys ? { authenticator } : {}),
    });
    const response = ask('GET', '/page.json', authorization === '' ? {} : { authorization });
    await until(() => response.status !== undefined);
    assert.equal(response.status, 200, 'the console shows any other status as an error');
    assert.deepEqual(JSON.parse(response.body), expected, authorization);
    assert.equal(response.headers.get('Cache-Control'), 'no-store');
    assert.equal(counters.values[REFUSED.unauthorized], 0);
  }
  const head = ask('HEAD', '/page.json');
  await until(() => head.status !== undefined);
  assert.deepEqual([head.status, head.body], [200, '']);
  const post = ask('POST', '/page.json');
  assert.deepEqual([post.status, post.headers.get('Allow')], [405, 'GET, HEAD, OPTIONS']);
});

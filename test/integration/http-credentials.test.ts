/** Pages of other origins in a real browser, with credentials and tracing headers. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { good } from '../../testing/events.ts';
import type { Stage } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { expected } from '../fixtures/transport-differences.ts';
import { TestPage } from '../page/browser.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';

const skip = missingTool('chromium');
/** Origins with a server each: with routes instead, Playwright would answer preflights. */
const [first, second] = (await freePorts(2)) as [number, number];
const NAMED = `http://127.0.0.1:${first}`;
const OTHER = `http://127.0.0.1:${second}`;
const servers = [first, second].map((port) =>
  createServer((_request, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>page</title>');
  }).listen(port, '127.0.0.1'),
);

const listed = useStage({ env: { FOREBAY_ORIGINS: NAMED, KAFKA_LINGER_MS: '1' } });
const every = useStage({ env: { FOREBAY_ORIGINS: '*', KAFKA_LINGER_MS: '1' } });
let shown: TestPage;
listed.atStart(async () => {
  if (skip) return;
  shown = await TestPage.open();
  listed.atEnd(() => shown.close());
});
after(() => {
  for (const server of servers) server.close();
});

/** Runs `code` on a page of that origin, with `url` and `event` in scope. */
async function onPage(origin: string, stage: Stage, event: string, code: string): Promise<unknown> {
  await shown.page.goto(`${origin}/`);
  const url = `${stage.gateway.httpUrl}/events`;
  const values = JSON.stringify({ url, event });
  return shown.page.evaluate(`(async ({ url, event }) => { ${code} })(${values})`);
}

const JSON_BLOB = `new Blob([event], { type: 'application/json' })`;
const BEACON = `return navigator.sendBeacon(url, ${JSON_BLOB});`;
const posting = (options: string) => `
  const headers = { 'Content-Type': 'application/json' };
  const options = { method: 'POST', body: event, headers, ${options} };
  try { return (await fetch(url, options)).status; } catch (error) { return String(error); }`;
const TRACED = `headers: {
  ...headers, traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  tracestate: 'a=b', baggage: 'a=b', 'sentry-trace': '0af7651916cd43dd8448eb211c80319c-1',
  'x-datadog-trace-id': '1', 'x-datadog-parent-id': '2', 'x-datadog-origin': 'rum',
  'X-Datadog-Sampling-Priority': '1', 'x-datadog-tags': 'a=b', b3: '0', 'X-B3-TraceId': '1',
}`;
const INCLUDED = `credentials: 'include'`;
const FAILED = 'TypeError: Failed to fetch';

async function assertStored(stage: Stage, ...expected: string[]): Promise<void> {
  const values: string[] = [];
  const all = async () => {
    values.push(...(await stage.newValues()));
    return values.length >= expected.length;
  };
  await until(all, { everyMs: 50, what: () => `${expected.length} events, not ${values}` });
  assert.deepEqual(values, expected);
}

test('a listed page: a beacon with a JSON Blob is stored, and fetch with credentials reads 200', {
  skip,
}, async () => {
  const beacon = good('beacon');
  assert.equal(await onPage(NAMED, listed, beacon, BEACON), true);
  await assertStored(listed, beacon);
  for (const options of ['', INCLUDED, `${INCLUDED}, keepalive: true`, `${INCLUDED}, ${TRACED}`]) {
    const event = good(options.slice(0, 40));
    assert.equal(await onPage(NAMED, listed, event, posting(options)), 200, options);
    await assertStored(listed, event);
  }
  assert.deepEqual(shown.complaints, []);
});

test('a page allowed only by *: without credentials, with tracing headers, never with credentials', {
  skip,
}, async () => {
  for (const options of ['', TRACED]) {
    const event = good('plain');
    assert.equal(await onPage(OTHER, every, event, posting(options)), 200, options);
    await assertStored(every, event);
  }
  const blocked = () => shown.complaints.filter((text) => /CORS policy/.test(text)).length;
  assert.equal(blocked(), 0);
  assert.equal(await onPage(OTHER, every, good('x'), posting(INCLUDED)), FAILED);
  assert.equal(await onPage(OTHER, every, good('x'), BEACON), true);
  await until(() => blocked() === 2, { what: () => shown.complaints.join('\n') });
  assert.deepEqual(await every.newValues(), []);
});

test('an unlisted page: neither with credentials nor without', { skip }, async () => {
  for (const options of ['', INCLUDED, TRACED, `${INCLUDED}, keepalive: true`]) {
    assert.equal(await onPage(OTHER, listed, good('x'), posting(options)), FAILED, options);
  }
  await onPage(OTHER, listed, good('x'), BEACON);
  assert.deepEqual(await listed.newValues(), []);
});

/** Returns the CORS headers of a response by their names without `Access-Control-`. */
async function corsOf(stage: Stage, line: string, headers: Record<string, string>, body?: string) {
  const http = new RawHttp(stage.gateway.port);
  http.request(line, headers, body);
  const answer = await http.answer();
  http.destroy();
  const named = (name: string) => answer.headers.get(`access-control-${name}`);
  return {
    status: answer.status,
    origin: named('allow-origin'),
    credentials: named('allow-credentials'),
    headers: named('allow-headers'),
    vary: answer.headers.get('vary'),
  };
}

test('each response to a listed page has CORS headers, also rejections', async () => {
  const json = { 'Content-Type': 'application/json' };
  type Case = [number, string, Record<string, string>, string?];
  const cases: Case[] = [
    [200, 'POST /events', json, good('x')],
    [400, 'POST /events', json, '{'],
    // The parser of Node.js rejects it, without these headers.
    ...expected<Case[]>([[400, 'POST /events', { 'Transfer-Encoding': 'gzip' }]], []),
    [405, 'PUT /events', json, '{}'],
    [413, 'POST /events', { 'Content-Length': '9999999' }],
    [415, 'POST /events', { 'Content-Type': 'text/html' }, 'x'],
    [417, 'POST /events', { Expect: 'x' }, 'x'],
  ];
  for (const [status, line, headers, body] of cases) {
    const answer = await corsOf(listed, line, { Origin: NAMED, ...headers }, body);
    const { origin, credentials, vary } = answer;
    assert.deepEqual(
      [answer.status, origin, credentials, vary],
      [status, NAMED, 'true', 'Origin'],
      line,
    );
  }
});

test('credentials are allowed for the exact listed origin, and never with *', async () => {
  const body = good('x');
  const asked = { 'Access-Control-Request-Method': 'POST' };
  for (const line of ['POST /events', 'OPTIONS /events']) {
    const any = await corsOf(every, line, { Origin: OTHER, ...asked }, body);
    assert.deepEqual([any.origin, any.credentials], [OTHER, undefined], line);
    const star = await corsOf(every, line, { Origin: '*', ...asked }, body);
    assert.deepEqual([star.origin, star.credentials], ['*', undefined], line);
    const named = await corsOf(listed, line, { Origin: NAMED, ...asked }, body);
    assert.deepEqual([named.origin, named.credentials], [NAMED, 'true'], line);
    for (const origin of [
      OTHER,
      `${NAMED}/`,
      NAMED.replace('http', 'HTTP'),
      `http://127.0.0.1`,
      'null',
    ]) {
      const foreign = await corsOf(listed, line, { Origin: origin, ...asked }, body);
      assert.deepEqual([foreign.origin, foreign.credentials], [undefined, undefined], origin);
      assert.equal(foreign.vary, 'Origin');
    }
  }
});

test('a preflight allows tracing headers in any letter case, and no other requested header', async () => {
  const asks = (names: string) =>
    corsOf(listed, 'OPTIONS /events', {
      Origin: NAMED,
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': names,
    });
  const usual = 'Authorization, Content-Encoding, Content-Type, Forebay-Resent';
  for (const [asked, allowed] of [
    ['content-type', ''],
    ['traceparent,TraceState, baggage', ', traceparent, tracestate, baggage'],
    ['sentry-trace,Sentry-Trace', ', sentry-trace'],
    ['x-datadog-trace-id,x-datadog-anything', ', x-datadog-trace-id, x-datadog-anything'],
    ['b3,x-b3-traceid,x-request-id', ', b3, x-b3-traceid, x-request-id'],
    ['x-datadog-,x-datadog,cookie,x-evil,traceparent2,xtraceparent', ''],
    ['x-datadog-a b,x-datadog-\u00e9', ''],
    [`x-datadog-${'a'.repeat(65)}`, ''],
    [',,', ''],
  ] as const) {
    assert.equal((await asks(asked)).headers, usual + allowed, asked);
  }
  const many = Array.from({ length: 500 }, (_, index) => `x-datadog-${index}`).join(',');
  const { headers = '' } = await asks(many);
  assert.equal(headers.split(', ').length, usual.split(', ').length + 32);
});

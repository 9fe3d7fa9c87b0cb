/** Pages of other origins, and allowed methods. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { good } from '../../testing/events.ts';
import { TRANSPORT } from '../../testing/gateway.ts';
import { accountOf, freshMetrics, Tally } from '../../testing/stage.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';

const HOST = 'forebay.example';
const ALLOWED = 'https://forebay.example';
const FOREIGN = ['https://example.com', 'https://forebay.example:444', 'null', 'x', 'https://'];
const EVENT = good('from a page');

const stage = useStage();
let http: RawHttp;
const tally = new Tally();
stage.atStart(() => {
  http = new RawHttp(stage.gateway.port);
  stage.atEnd(() => http.destroy());
});

const ask = (line: string, headers: Record<string, string>, body?: string) => {
  http.request(line, { Host: HOST, ...headers }, body);
  return http.answer();
};

/** Returns the CORS headers of a response. */
function corsOf(headers: ReadonlyMap<string, string>): Record<string, string> {
  const names = [...headers.keys()].filter((name) => name.startsWith('access-control-'));
  return Object.fromEntries(names.sort().map((name) => [name.slice(15), headers.get(name)!]));
}
const READABLE = { 'allow-origin': ALLOWED, 'expose-headers': 'Retry-After, X-Request-Id' };

test('a preflight of an allowed origin: 204 with the allowed headers and methods, for two hours', async () => {
  const { status, headers, body } = await ask('OPTIONS /events', {
    Origin: ALLOWED,
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'authorization,content-type',
  });
  assert.deepEqual([status, body], [204, '']);
  assert.deepEqual(corsOf(headers), {
    'allow-headers': 'Authorization, Content-Encoding, Content-Type, Forebay-Resent',
    'allow-methods': 'POST',
    'allow-origin': ALLOWED,
    'max-age': '7200',
  });
  assert.equal(headers.get('vary'), 'Origin');
  assert.equal(headers.get('allow'), 'POST, OPTIONS');
  assert(!headers.has('content-length') && !headers.has('content-type'), '204 has no body');
});

test('a preflight of a foreign origin allows nothing', async () => {
  for (const origin of FOREIGN) {
    const { status, headers } = await ask('OPTIONS /events', { Origin: origin });
    assert.equal(status, 204, origin);
    assert.deepEqual(corsOf(headers), {});
    assert.equal(headers.get('vary'), 'Origin');
  }
});

test('a page of an allowed origin may read each response, also rejections', async () => {
  const json = { Origin: ALLOWED, 'Content-Type': 'application/json' };
  const expect = async (status: number, headers: Record<string, string>, body: string) => {
    const answer = await ask('POST /events', headers, body);
    assert.equal(answer.status, status);
    assert.deepEqual(corsOf(answer.headers), READABLE, String(status));
    assert.equal(answer.headers.get('vary'), 'Origin');
  };
  await expect(200, json, EVENT);
  await expect(400, json, '{');
  await expect(415, { ...json, 'Content-Type': 'text/html' }, EVENT);
  await expect(415, { ...json, 'Content-Encoding': 'compress' }, EVENT);
  await expect(400, { ...json, 'Content-Encoding': 'gzip' }, EVENT);
  await expect(413, json, ' '.repeat(1_048_577));
  assert.deepEqual(await stage.newValues(), [EVENT]);
  tally.http(1);
  tally.http(0, { invalid_json: 1 });
});

test('sendBeacon, text without a preflight, is accepted from an allowed origin', async () => {
  const headers = { Origin: ALLOWED, 'Content-Type': 'text/plain;charset=UTF-8' };
  assert.equal((await ask('POST /events', headers, EVENT)).status, 200);
  assert.deepEqual(await stage.newValues(), [EVENT]);
  tally.http(1);
});

test('403 forbidden_origin: a foreign page stores nothing, and reads nothing', async () => {
  for (const origin of FOREIGN) {
    const { status, headers, body } = await ask('POST /events', { Origin: origin }, EVENT);
    assert.equal(status, 403, origin);
    assert.equal((JSON.parse(body) as { error: { code: string } }).error.code, 'forbidden_origin');
    assert.deepEqual(corsOf(headers), {});
  }
  assert.deepEqual(await stage.newValues(), []);
});

test('a request without Origin: no CORS headers', async () => {
  const { status, headers } = await ask('POST /events', {}, EVENT);
  assert.equal(status, 200);
  assert.deepEqual(corsOf(headers), {});
  assert(!headers.has('vary'));
  assert.deepEqual(await stage.newValues(), [EVENT]);
  tally.http(1);
});

test('OPTIONS for other paths: 204 with Allow, 404 for unknown paths', async () => {
  for (const path of ['/', '/livez', '/readyz', '/page.js', '/ws', '/livez?x=1']) {
    const { status, headers } = await ask(`OPTIONS ${path}`, {});
    assert.deepEqual([status, headers.get('allow')], [204, 'GET, HEAD, OPTIONS'], path);
  }
  assert.equal((await ask('OPTIONS /nothing', {})).status, 404);
});

test('methods are case-sensitive, unknown ones are not allowed', {
  skip: TRANSPORT === 'node' && 'the parser of Node.js rejects them',
}, async () => {
  for (const method of ['post', 'PoSt', 'FOO']) {
    const { status, headers } = await ask(`${method} /events`, {}, EVENT);
    assert.deepEqual([status, headers.get('allow')], [405, 'POST, OPTIONS'], method);
  }
  assert.equal((await ask('get /livez', {})).status, 405);
});

test('a query changes nothing', async () => {
  assert.equal((await ask('POST /events?source=page&x=%00', {}, EVENT)).status, 200);
  assert.equal((await ask('GET /livez?', {})).status, 200);
  assert.deepEqual(await stage.newValues(), [EVENT]);
  tally.http(1);
});

test('all events are accounted for, all on one connection', async () => {
  assert(!http.closed, 'one connection carried all requests');
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  const metrics = await freshMetrics(stage.gateway);
  const refused = (reason: string) => metrics.value('forebay_requests_refused_total', { reason });
  assert.equal(refused('forbidden_origin'), FOREIGN.length);
  // The parser's rejections are not counted.
  assert.equal(refused('method_not_allowed'), TRANSPORT === 'node' ? 0 : 4);
  assert.deepEqual(stage.gateway.errors, []);
});

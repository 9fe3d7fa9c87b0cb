/** `Expect`: clients that wait for an interim response before they send a body. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { Agent, request } from 'node:http';
import { afterEach, test } from 'node:test';
import { promisify } from 'node:util';
import { good } from '../../testing/events.ts';
import { accountOf, freshMetrics, Tally } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';

const run = promisify(execFile);
const EVENT = good('expected');
const CASES = ['100-continue', '100-Continue', '100-CONTINUE', ' 100-cOnTiNuE ', '100-continue, ,'];
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

const tally = new Tally();
let refused = 0;
const stage = useStage({ env: { KAFKA_LINGER_MS: '1' } });

const open: RawHttp[] = [];
afterEach(() => {
  for (const http of open.splice(0)) http.destroy();
});
function connection(): RawHttp {
  const http = new RawHttp(stage.gateway.port);
  open.push(http);
  return http;
}

async function assertStored(count: number): Promise<void> {
  const values = await stage.newValues();
  assert.deepEqual(values, new Array(count).fill(EVENT));
  tally.http(count);
}

test('100-continue in any letter case: 100 at once, then one final response, on one connection', async () => {
  const http = connection();
  const length = String(EVENT.length);
  for (const value of CASES) {
    for (const type of ['application/json', 'text/html']) {
      const headers = { Expect: value, 'Content-Length': length, 'Content-Type': type };
      http.request('POST /events', headers);
      const interim = await http.answer(true);
      assert.deepEqual([interim.status, interim.headers.size], [100, 0], value);
      // A rejection does not wait for the body, which is skipped.
      if (type === 'application/json') assert.equal(http.rest, '', 'the body is waited for');
      http.write(EVENT);
      const final = await http.answer();
      assert.equal(final.status, type === 'application/json' ? 200 : 415, value);
      assert.equal(final.headers.get('connection'), 'keep-alive');
      assert.equal(final.headers.get('content-type'), 'application/json');
      assert.equal(final.headers.get('x-content-type-options'), 'nosniff');
      assert.equal(http.rest, '', 'one final response');
    }
  }
  await assertStored(CASES.length);
});

test('a chunked body in any letter case: 100 at once, then the response', async () => {
  for (const value of CASES) {
    const http = connection();
    http.request('POST /events', { Expect: value, 'Transfer-Encoding': 'chunked' });
    assert.equal((await http.answer(true)).status, 100, value);
    http.write(`${EVENT.length.toString(16)}\r\n${EVENT}\r\n0\r\n\r\n`);
    assert.equal((await http.answer()).status, 200, value);
    await http.ended();
  }
  await assertStored(CASES.length);
});

test('a body sent without waiting is accepted, in one packet and in parts', async () => {
  const http = connection();
  for (const value of CASES) {
    http.request('POST /events', { Expect: value }, EVENT);
    assert.equal((await http.answer(true)).status, 100, value);
    assert.equal((await http.answer()).status, 200, value);
  }
  const length = String(EVENT.length);
  http.request('POST /events', { Expect: '100-Continue', 'Content-Length': length });
  for (const byte of EVENT) http.write(byte);
  assert.equal((await http.answer(true)).status, 100);
  assert.equal((await http.answer()).status, 200);
  await assertStored(CASES.length + 1);
});

test('a repeated header is one list', async () => {
  const http = connection();
  for (const [first, second, status] of [
    ['100-continue', '100-continue', 100],
    ['100-Continue', '100-continue', 100],
    ['100-Continue', 'x', 417],
    ['x', '100-Continue', 417],
    ['', '100-Continue', 100],
    ['', '100-continue', 100],
    ['100-Continue', '', 100],
    ['', 'x', 417],
  ] as const) {
    const head = `POST /events HTTP/1.1\r\nHost: a\r\nExpect: ${first}\r\nExpect: ${second}\r\n`;
    const alone = status === 417 ? connection() : http;
    alone.write(`${head}Content-Length: ${EVENT.length}\r\n\r\n`);
    assert.equal((await alone.answer(status === 100)).status, status, `${first} ${second}`);
    if (status === 417) refused++;
    else {
      alone.write(EVENT);
      assert.equal((await alone.answer()).status, 200);
    }
  }
  await assertStored(5);
});

test('any other expectation: 417 before the body, which is neither awaited nor a request', async () => {
  for (const value of [
    'x',
    '200-ok',
    '100-continue=1',
    '100-Continue, x',
    '100',
    '"100-continue"',
  ]) {
    const http = connection();
    http.request('POST /events', { Expect: value, 'Content-Length': String(EVENT.length) });
    const { status, headers, body } = await http.answer();
    assert.deepEqual([status, headers.get('connection')], [417, 'close'], value);
    assert.match(body, /"code":"expectation_failed"/);
    // Bytes in place of the body are no request either.
    http.write(`GET /livez HTTP/1.1\r\nHost: a\r\n\r\n${' '.repeat(EVENT.length)}`);
    await http.end();
    assert.doesNotMatch(http.rest, /alive/);
    refused++;
  }
  const http = connection();
  for (const line of ['GET /livez', 'GET /ws', 'OPTIONS /events', 'HEAD /nothing']) {
    http.request(line, { Expect: 'x' });
    assert.equal((await http.answer(line.startsWith('HEAD'))).status, 417, line);
    refused++;
  }
  assert.deepEqual(await stage.newValues(), []);
});

test('without a body: only the final response, in any letter case', async () => {
  const http = connection();
  http.request('GET /livez', { Expect: '100-Continue' });
  assert.equal((await http.answer()).status, 200);
  http.request('POST /events', { Expect: '100-Continue', 'Content-Length': '0' });
  assert.equal((await http.answer()).status, 400);
  tally.http(0, { invalid_json: 1 });
});

test('a handshake: unknown expectations are 417, 100-continue has no effect', async () => {
  const upgrade = {
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': KEY,
  };
  const wrong = connection();
  wrong.request('GET /ws', { ...upgrade, Expect: 'x' });
  assert.equal((await wrong.answer()).status, 417);
  const right = connection();
  right.request('GET /ws', { ...upgrade, Expect: '100-Continue' });
  assert.equal((await right.answer(true)).status, 101);
});

test('a body that never arrives after 100: 408, as without Expect', async () => {
  const http = connection();
  http.request('POST /events', { Expect: '100-Continue', 'Content-Length': '10' });
  assert.equal((await http.answer(true)).status, 100);
  assert.equal((await http.answer()).status, 408);
  await http.ended();
});

test('the clients of the JDK do not wait', { skip: missingTool('java') }, async () => {
  const url = `${stage.gateway.httpUrl}/events`;
  const { stdout } = await run('java', ['test/fixtures/ExpectContinue.java', url, EVENT, EVENT]);
  const lines = stdout.trim().split('\n');
  for (const line of lines) {
    const [client, status, tookMs] = line.split(' ');
    assert.equal(status, '200', line);
    if (client === 'HttpURLConnection') assert(Number(tookMs) < 5_000, `${line}: it waits for 5 s`);
  }
  assert.equal(lines.length, 3, stdout);
  await assertStored(3);
});

test('curl does not wait', { skip: missingTool('curl') }, async () => {
  for (const value of ['100-continue', '100-Continue']) {
    const { stdout } = await run('curl', [
      ...['--silent', '--max-time', '20', '--expect100-timeout', '60', '--data', EVENT],
      ...['--header', `Expect: ${value}`, '--header', 'Content-Type: application/json'],
      ...['--write-out', '%{http_code}', `${stage.gateway.httpUrl}/events`],
    ]);
    assert.match(stdout, /"accepted":1.*\n200$/);
  }
  await assertStored(2);
});

test('Node.js emits `continue`, and its agent reuses the connection', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  for (const value of ['100-continue', '100-Continue']) {
    const status = await new Promise((resolve, reject) => {
      const headers = { Expect: value, 'Content-Length': EVENT.length };
      const options = { method: 'POST', headers, agent };
      const asked = request(`${stage.gateway.httpUrl}/events`, options, (response) => {
        response.resume().on('end', () => resolve(response.statusCode));
      });
      asked.on('error', reject);
      asked.on('socket', (socket) => {
        if (socket.localPort !== undefined) ports.add(socket.localPort);
        else socket.on('connect', () => ports.add(socket.localPort));
      });
      asked.on('continue', () => {
        asked.end(EVENT);
      });
      asked.flushHeaders();
    });
    assert.equal(status, 200, value);
  }
  assert.equal(ports.size, 1);
  agent.destroy();
  await assertStored(2);
});

test('all events are accounted for', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  const metrics = await freshMetrics(stage.gateway);
  const reason = 'expectation_failed';
  assert.equal(metrics.value('forebay_requests_refused_total', { reason }), refused);
  assert.deepEqual(stage.gateway.errors, []);
});

/** Lifetime of idle HTTP connections, and the headers that announce it. */
import assert from 'node:assert/strict';
import { Agent, get } from 'node:http';
import { test } from 'node:test';
import { LIMITS } from '../../src/config/limits.ts';
import { good } from '../../testing/events.ts';
import { until } from '../../testing/wait.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';

/** uWebSockets.js: 10 s, checked every 4 s. */
const IDLE_MS = { least: 8_000, most: 12_000 };
const DELAY_MS = 10_000;

const stage = useStage();

const KEEP_ALIVE = `timeout=${LIMITS.keepAliveSeconds}`;
const CLOSES = { Connection: 'close' };
const LISTS = ['Close', 'close, TE', 'TE, close', 'keep-alive,close', 'TE'];

test('responses that keep the connection open announce for how long, others do not', async () => {
  const ask = async (line: string, headers: Record<string, string> = {}, body?: string) => {
    const http = new RawHttp(stage.gateway.port);
    http.request(line, headers, body);
    const answer = await http.answer(line.startsWith('HEAD') || line.startsWith('OPTIONS'));
    http.destroy();
    return [answer.headers.get('connection'), answer.headers.get('keep-alive')];
  };
  const lines = ['GET /livez', 'GET /', 'GET /nothing', 'HEAD /livez', 'OPTIONS /events'];
  for (const line of lines) {
    assert.deepEqual(await ask(line), ['keep-alive', KEEP_ALIVE], line);
    assert.deepEqual(await ask(line, CLOSES), ['close', undefined], line);
  }
  for (const [body, type] of [
    [good('x'), 'application/json'],
    ['{', 'application/json'],
    ['x', 'text/html'],
  ] as const) {
    const headers = { 'Content-Type': type };
    assert.deepEqual(await ask('POST /events', headers, body), ['keep-alive', KEEP_ALIVE], type);
    assert.deepEqual(await ask('POST /events', { ...headers, ...CLOSES }, body), [
      'close',
      undefined,
    ]);
  }
  for (const value of LISTS) {
    const isClosing = /close/i.test(value);
    const expected = isClosing ? ['close', undefined] : ['keep-alive', KEEP_ALIVE];
    assert.deepEqual(await ask('GET /livez', { Connection: value }), expected, value);
  }
  assert.deepEqual(await ask('GET /ws'), ['Upgrade', KEEP_ALIVE]);
  const chunked = { 'Transfer-Encoding': 'chunked', 'Content-Type': 'text/html' };
  const http = new RawHttp(stage.gateway.port);
  http.request('POST /events', chunked);
  http.write('0\r\n\r\n');
  const { headers } = await http.answer();
  assert.deepEqual([headers.get('connection'), headers.get('keep-alive')], ['close', undefined]);
});

test('an idle connection stays open longer than announced, and then ends', async (t) => {
  const connections = ['GET /livez', 'POST /events', 'GET /livez'].map((line) => {
    const http = new RawHttp(stage.gateway.port);
    http.request(line, {}, line.startsWith('POST') ? good('x') : undefined);
    return { http, line };
  });
  const ended = connections.map(async ({ http, line }) => {
    const { headers } = await http.answer();
    const sinceMs = performance.now();
    const [, seconds] = /^timeout=(\d+)$/.exec(headers.get('keep-alive') ?? '') ?? [];
    const deadlineMs = IDLE_MS.most + 2 * DELAY_MS;
    await until(() => http.closed, { deadlineMs, everyMs: 5, what: 'its end' });
    const idleMs = performance.now() - sinceMs;
    t.diagnostic(`${line}: ${(idleMs / 1000).toFixed(1)} s`);
    assert(idleMs > 1000 * Number(seconds), `${idleMs} ms, with ${seconds} s announced`);
    assert(idleMs > IDLE_MS.least - 100 && idleMs < IDLE_MS.most + DELAY_MS, `${idleMs} ms`);
  });
  await Promise.all(ended);
});

test('Node.js’s agent reuses a connection only within that time', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1, timeout: 60_000 });
  const ask = () =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = get(`${stage.gateway.httpUrl}/livez`, { agent }, (response) => {
        const { localPort } = response.socket;
        response.resume().on('end', () => resolve(localPort));
      });
      asked.on('error', reject);
    });
  const first = await ask();
  assert.equal(await ask(), first);
  const isFree = () => Object.keys(agent.freeSockets).length === 0;
  await until(isFree, { deadlineMs: 1000 * LIMITS.keepAliveSeconds + DELAY_MS });
  assert.notEqual(await ask(), first);
  agent.destroy();
});

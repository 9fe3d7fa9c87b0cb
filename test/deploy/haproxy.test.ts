/** deploy/haproxy/haproxy.cfg with two real gateways. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { type Balancer, CHECK_MS, startBalancer } from '../../bench/chaos/balancer.ts';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { readConfig } from '../../src/config/config.ts';
import { LIMITS } from '../../src/config/limits.ts';
import { Authority } from '../../testing/certificates.ts';
import { AcknowledgedClient } from '../../testing/client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { Ledger } from '../../testing/ledger.ts';
import {
  acknowledgedClients,
  allSettled,
  closeAll,
  Load,
  recordsOf,
  recordsWith,
} from '../../testing/load.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { upgrade, upgradeOverHttp2 } from '../support/upgrade.ts';

const FILE = 'deploy/haproxy/haproxy.cfg';
const skip = missingTool('haproxy');
const config = readFileSync(FILE, 'utf8');
const topic = uniqueTopic('haproxy');
const env = {
  FOREBAY_TRUSTED_PROXIES: '127.0.0.1',
  FOREBAY_MAX_CONNECTIONS_PER_ADDRESS: '24',
  FOREBAY_PRESTOP_MS: String(4 * CHECK_MS),
  FOREBAY_DRAIN_SPREAD_MS: '200',
};
const started: Gateway[] = [];
let brokers: readonly string[];
let balancer: Balancer;
let authority: Authority;
let secureUrl: string;
let end: (() => unknown)[] = [];

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  for (const index of [0, 1]) started[index] = await startGateway({ brokers, topic, env });
  authority = new Authority();
  const { certFile, keyFile } = authority.issue('edge');
  appendFileSync(certFile, readFileSync(keyFile));
  const [port] = await freePorts(1);
  secureUrl = `127.0.0.1:${port}`;
  const lifetime = { after: (work: () => unknown) => void end.unshift(work) };
  const variables = { FOREBAY_TLS_PEM: certFile, FOREBAY_TLS_BIND: secureUrl };
  balancer = await startBalancer(lifetime, started, { env: variables });
});
after(async () => {
  for (const work of end) await work();
  end = [];
  for (const gateway of started) await gateway.kill();
});

/** Value of a directive, in ms. */
function timeOf(name: string): number {
  const [, count, unit] = config.match(new RegExp(`^ +timeout ${name} (\\d+)(s|h)$`, 'm')) ?? [];
  assert(count !== undefined, `timeout ${name} is in the file`);
  return Number(count) * (unit === 'h' ? 3_600_000 : 1_000);
}

test('HAProxy accepts the file, with TLS and without', { skip }, () => {
  const servers = { FOREBAY_SERVER_1: '127.0.0.1:9000', FOREBAY_SERVER_2: '127.0.0.1:9010' };
  for (const more of [{}, { FOREBAY_TLS_PEM: '/missing.pem' }]) {
    const { stderr, status } = spawnSync('haproxy', ['-c', '-f', FILE], {
      env: { ...process.env, FOREBAY_MAXCONN: '1000', ...servers, ...more },
      encoding: 'utf8',
    });
    const wrong = stderr.split('\n').filter((line) => /WARNING|ALERT/.test(line));
    // It even looks for the certificate.
    if ('FOREBAY_TLS_PEM' in more) assert.match(wrong.join('\n'), /missing\.pem/);
    else assert.deepEqual([status, wrong], [0, []]);
  }
});

test('its timeouts fit those of a gateway', () => {
  const { idleTimeoutMs, httpTimeoutMs } = readConfig({});
  assert(timeOf('tunnel') > idleTimeoutMs, 'a WebSocket that is pinged lives');
  assert(timeOf('server') > httpTimeoutMs + LIMITS.bodyGraceMs, 'a gateway answers first');
  const leastMs = LIMITS.firstRequestMs - LIMITS.timerTickMs;
  assert(timeOf('http-keep-alive') < leastMs, 'HAProxy ends a connection first');
});

test('hop-by-hop headers of a gateway stay behind HAProxy', { skip }, async () => {
  const direct = await fetch(`${started[0]!.httpUrl}/livez`);
  assert.equal(direct.headers.get('keep-alive'), `timeout=${LIMITS.keepAliveSeconds}`);
  for (const path of ['/livez', '/events', '/nothing']) {
    const { headers } = await fetch(balancer.httpUrl + path);
    assert.equal(headers.get('keep-alive'), null, path);
  }
});

test('a gateway gets each client’s address, regardless of its own claims', { skip }, async () => {
  const open = (address: string) => {
    const agent = new Agent({ localAddress: address });
    return upgrade(balancer.httpUrl, { 'X-Forwarded-For': '9.9.9.9' }, { agent });
  };
  // Each of the two gateways allows 24 per address.
  const all = [];
  for (let count = 0; count < 48; count++) all.push(await open('127.0.5.1'));
  await assert.rejects(open('127.0.5.1'), { statusCode: 429 });
  all.push(await open('127.0.5.2'));
  for (const { end: close } of all) close();
});

test('by TLS: wss: and https: are served', { skip }, async () => {
  const client = await new AcknowledgedClient({
    url: `wss://${secureUrl}/ws`,
    ca: authority.ca,
  }).open();
  const frame = client.send({ id: 'tls-1', msg: 'm', clientId: 'c', timestamp: 1 });
  await until(() => frame.state === 'settled');
  assert.deepEqual(frame.errors, []);
  await client.close();
  const status = await new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const options = { method: 'POST', ca: authority.ca, headers };
    request(`https://${secureUrl}/events`, options, ({ statusCode }) => resolve(statusCode))
      .on('error', reject)
      .end('{"id":"tls-2","msg":"m","clientId":"c","timestamp":1}');
  });
  assert.equal(status, 200);
});

/** A close frame with code 1012 and the reason `restart`. */
const CLOSE_RESTART = Buffer.from('\x88\x09\x03\xf4restart', 'latin1');

/** Opens a WebSocket over HTTP/2, and has an event acknowledged. */
async function overHttp2(id: string) {
  let received = Buffer.alloc(0);
  const data = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  };
  const headers = { 'sec-websocket-protocol': 'forebay.v1' };
  const { ca } = authority;
  const opened = await upgradeOverHttp2(`https://${secureUrl}`, headers, { ca, data });
  opened.write(`{"id":"${id}","msg":"m","clientId":"c","timestamp":1}`);
  await until(() => received.includes('"ack"'), { what: () => `an ack in ${received}` });
  return { ...opened, told: () => received.includes(CLOSE_RESTART) };
}

test('both gateways restart in turn under load: no request fails, each socket gets 1012, nothing is lost', {
  skip,
}, async (t) => {
  const ledger = new Ledger();
  const options = { url: balancer.wsUrl, ledger, reconnect: true };
  const clients = await acknowledgedClients(t, 16, options);
  const streams = [await overHttp2('h2-0'), await overHttp2('h2-1')];
  t.after(() => {
    for (const { end: close } of streams) close();
  });
  const load = new Load(t, clients, { eventsPerSecond: 400, prefix: 'roll' });
  let posting = true;
  const answers: number[] = [];
  const poster = (async () => {
    for (let post = 0; posting; post++) {
      const body = `{"id":"post-${post}","msg":"m","clientId":"c${post}","timestamp":1}`;
      const headers = { 'Content-Type': 'application/json' };
      const response = await fetch(`${balancer.httpUrl}/events`, { method: 'POST', body, headers });
      answers.push(response.status);
      await response.text();
    }
  })();
  for (const index of [0, 1]) {
    const { port, adminPort } = started[index]!;
    assert.equal((await started[index]!.stop()).code, 0);
    started[index] = await startGateway({ brokers, topic, env, ports: [port, adminPort] });
    await balancer.up(index);
  }
  posting = false;
  await poster;
  await load.stop();
  await allSettled(clients);
  assert(answers.length > 20, `${answers.length} requests`);
  assert.deepEqual([...new Set(answers)], [200]);
  for (const { closes } of clients) {
    assert(closes.length > 0, 'its gateway has restarted');
    for (const close of closes) assert.deepEqual(close, { code: 1012, reason: 'restart' });
  }
  const toldAll = () => streams.every(({ told, socket }) => told() && socket.readableEnded);
  await until(toldAll, { what: 'Close 1012 over HTTP/2' });
  await closeAll(clients);
  const records = await recordsOf({ brokers, topic });
  const { acknowledged, missing } = ledger.reconcile(recordsWith('roll', records));
  assert.deepEqual([missing, acknowledged > 200], [[], true], `${acknowledged} acknowledged`);
  const posted = recordsWith('post-', records).map(({ value }) => JSON.parse(String(value)).id);
  assert.equal(new Set(posted).size, answers.length, 'each that was answered 200');
});

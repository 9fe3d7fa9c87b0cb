/** deploy/nginx/nginx.conf with two real gateways. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { request } from 'node:https';
import { after, before, test } from 'node:test';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { readConfig } from '../../src/config/config.ts';
import { LIMITS, MIB } from '../../src/config/limits.ts';
import { Authority } from '../../testing/certificates.ts';
import { AcknowledgedClient } from '../../testing/client.ts';
import { good } from '../../testing/events.ts';
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
import {
  checkNginx,
  NGINX_FILE,
  type Nginx,
  type NginxOptions,
  startNginx,
} from '../support/nginx.ts';
import { RawHttp } from '../support/raw-http.ts';
import { upgrade } from '../support/upgrade.ts';

const skip = missingTool('nginx') || missingTool('openssl');
const config = readFileSync(NGINX_FILE, 'utf8');
const topic = uniqueTopic('nginx');
const env = {
  FOREBAY_TRUSTED_PROXIES: '127.0.0.1',
  FOREBAY_MAX_CONNECTIONS_PER_ADDRESS: '24',
  FOREBAY_PRESTOP_MS: '0',
  FOREBAY_DRAIN_SPREAD_MS: '200',
};
const started: Gateway[] = [];
let brokers: readonly string[];
let nginx: Nginx;
let authority: Authority;
let tls: NonNullable<NginxOptions['tls']>;
let end: (() => unknown)[] = [];

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  for (const index of [0, 1]) started[index] = await startGateway({ brokers, topic, env });
  authority = new Authority();
  const [port] = (await freePorts(1)) as [number];
  tls = { port, ...authority.issue('edge') };
  const lifetime = { after: (work: () => unknown) => void end.unshift(work) };
  const gateways = [started[0]!.port, started[1]!.port] as const;
  nginx = await startNginx(lifetime, { gateways, tls });
});
after(async () => {
  for (const work of end) await work();
  end = [];
  for (const gateway of started) await gateway.kill();
});

/** Values of a directive, in ms, at each occurrence. */
function timesOf(name: string): number[] {
  const found = [...config.matchAll(new RegExp(`^ +${name} +(\\d+)(s|m|h);`, 'gm'))];
  assert(found.length > 0, `${name} is in the file`);
  const units = { s: 1_000, m: 60_000, h: 3_600_000 };
  return found.map(([, count, unit]) => Number(count) * units[unit as keyof typeof units]);
}

test('nginx accepts the file, with TLS and without', { skip }, () => {
  for (const more of [{}, { tls }]) {
    const { stderr, status } = checkNginx({ gateways: [9000, 9010], port: 8080, ...more });
    assert.deepEqual([status, stderr.match(/\[(warn|error|alert|emerg)\].*/g)], [0, null], stderr);
  }
});

test('its timeouts fit those of a gateway', () => {
  const { idleTimeoutMs, httpTimeoutMs } = readConfig({});
  const [answerMs, tunnelMs] = timesOf('proxy_read_timeout') as [number, number];
  assert(answerMs > httpTimeoutMs + LIMITS.bodyGraceMs, 'a gateway answers first');
  for (const ms of [tunnelMs, timesOf('proxy_send_timeout')[1]!]) {
    assert(ms > idleTimeoutMs, 'a WebSocket that is pinged lives');
  }
  assert.doesNotMatch(config, /^ *keepalive/m, 'no connection of nginx is idle');
});

test('a gateway gets each client’s address, regardless of its own claims', { skip }, async () => {
  const open = (address: string) => {
    const agent = new Agent({ localAddress: address });
    const lies = { 'X-Forwarded-For': '9.9.9.9', Forwarded: 'for=9.9.9.9' };
    return upgrade(nginx.httpUrl, lies, { agent });
  };
  // Each of the two gateways allows 24 per address.
  const all = [];
  for (let count = 0; count < 48; count++) all.push(await open('127.0.5.1'));
  await assert.rejects(open('127.0.5.1'), { statusCode: 429 });
  all.push(await open('127.0.5.2'));
  for (const { end: close } of all) close();
});

test('hop-by-hop headers of a gateway stay behind nginx', { skip }, async () => {
  for (const path of ['/livez', '/events', '/nothing']) {
    const { headers } = await fetch(nginx.httpUrl + path);
    assert.equal(headers.get('keep-alive'), null, path);
  }
});

test('a page of nginx’s own address may send, one of another host may not', { skip }, async () => {
  const ask = async (origin: string) => {
    const headers = { 'Content-Type': 'application/json', Origin: origin };
    const options = { method: 'POST', body: good('from a page'), headers };
    return (await fetch(`${nginx.httpUrl}/events`, options)).status;
  };
  assert.equal(await ask(nginx.httpUrl), 200);
  assert.equal(await ask('http://127.0.0.1'), 403);
});

test('bodies up to a gateway’s own limit pass, and above it the gateway rejects', {
  skip,
}, async () => {
  const body = `${good('long')}\n`.padEnd(MIB, ' ');
  const ask = async (text: string) => {
    const headers = { 'Content-Type': 'application/x-ndjson' };
    const options = { method: 'POST', body: text, headers };
    const response = await fetch(`${nginx.httpUrl}/events`, options);
    return [response.status, await response.text()];
  };
  assert.deepEqual(await ask(body), [200, '{"accepted":1,"errors":[]}\n']);
  const [status, text] = await ask(`${body} `);
  assert.equal(status, 413);
  assert.match(String(text), /"code":"too_large"/);
});

test('HTTP/1.0, a chunked body and Expect in any case: nginx sends a plain request', {
  skip,
}, async () => {
  const event = good('odd');
  const length = `Content-Length: ${event.length}\r\n`;
  for (const [head, body, statuses] of [
    [`POST /events HTTP/1.0\r\n${length}`, event, [200]],
    [
      'POST /events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n',
      `${event.length.toString(16)}\r\n${event}\r\n0\r\n\r\n`,
      [200],
    ],
    [`POST /events HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\n${length}`, event, [100, 200]],
  ] as const) {
    const http = new RawHttp(nginx.port);
    http.write(`${head}Connection: close\r\n\r\n${body}`);
    await http.ended();
    assert.deepEqual(http.statuses, statuses, head);
    assert.match(http.text, /"accepted":1/);
  }
});

test('by TLS: wss: and https: are served', { skip }, async () => {
  const url = `127.0.0.1:${tls.port}`;
  const client = await new AcknowledgedClient({ url: `wss://${url}/ws`, ca: authority.ca }).open();
  const frame = client.send({ id: 'tls-1', msg: 'm', clientId: 'c', timestamp: 1 });
  await until(() => frame.state === 'settled');
  assert.deepEqual(frame.errors, []);
  await client.close();
  const status = await new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/json' };
    const options = { method: 'POST', ca: authority.ca, headers };
    request(`https://${url}/events`, options, ({ statusCode }) => resolve(statusCode))
      .on('error', reject)
      .end(good('tls-2'));
  });
  assert.equal(status, 200);
});

test('both gateways restart in turn under load: a client that retries loses nothing, each socket gets 1012', {
  skip,
}, async (t) => {
  const ledger = new Ledger();
  const options = { url: nginx.wsUrl, ledger, reconnect: true };
  const clients = await acknowledgedClients(t, 16, options);
  const load = new Load(t, clients, { eventsPerSecond: 400, prefix: 'roll' });
  let posting = true;
  let stored = 0;
  const refused: number[] = [];
  const post = async (body: string) => {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(`${nginx.httpUrl}/events`, { method: 'POST', body, headers });
    await response.text();
    if (response.status !== 200) refused.push(response.status);
    return response.status === 200;
  };
  const poster = (async () => {
    for (; posting; stored++) {
      const body = good(`post-${stored}`);
      await until(() => post(body), { everyMs: 50, what: () => `200 behind ${refused}` });
    }
  })();
  for (const index of [0, 1]) {
    const { port, adminPort } = started[index]!;
    assert.equal((await started[index]!.stop()).code, 0);
    started[index] = await startGateway({ brokers, topic, env, ports: [port, adminPort] });
  }
  posting = false;
  await poster;
  await load.stop();
  await allSettled(clients);
  assert(stored > 20, `${stored} requests`);
  // 503: a starting instance has not reached Kafka yet. 502: the kernel reset a connection.
  const others = refused.filter((status) => status !== 502 && status !== 503);
  assert.deepEqual(others, [], nginx.said().slice(-2_000));
  t.diagnostic(`${stored} requests, and refusals: ${refused.join() || 'none'}`);
  for (const { closes } of clients) {
    assert(closes.length > 0, 'its gateway has restarted');
    for (const close of closes) assert.deepEqual(close, { code: 1012, reason: 'restart' });
  }
  await closeAll(clients);
  const records = await recordsOf({ brokers, topic });
  const { acknowledged, missing } = ledger.reconcile(recordsWith('roll', records));
  assert.deepEqual([missing, acknowledged > 200], [[], true], `${acknowledged} acknowledged`);
  const posted = recordsWith('post-', records).map(({ value }) => JSON.parse(String(value)).id);
  assert.equal(new Set(posted).size, stored, 'each that was answered 200');
  const resets = refused.filter((status) => status === 502).length;
  assert(posted.length - stored <= resets, 'nginx sends none twice');
});

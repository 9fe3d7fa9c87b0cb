/** Limits of connections, limits and event rates per address, and which address counts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { HANDSHAKE } from '../../testing/crowd-process.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { startHaproxy } from '../support/haproxy.ts';
import { proxyHeader } from '../support/proxy-header.ts';
import { type Upgraded, upgrade } from '../support/upgrade.ts';
import { useStage } from '../support/use-stage.ts';

const MAX = 60;
const PER_ADDRESS = 4;
/** More than the valid client sends. */
const RATE = { eventsPerSecond: 5_000, burst: 1_000 };
/** All of 127.0.0.0/8 is this machine: addresses for clients and for a proxy. */
const PROXY = '127.0.0.2';

const stage = useStage({
  env: {
    FOREBAY_MAX_CONNECTIONS: String(MAX),
    FOREBAY_MAX_CONNECTIONS_PER_ADDRESS: String(PER_ADDRESS),
    FOREBAY_ADDRESS_EVENTS_PER_SECOND: String(RATE.eventsPerSecond),
    FOREBAY_ADDRESS_EVENTS_BURST: String(RATE.burst),
    FOREBAY_TRUSTED_PROXIES: `10.0.0.0/8, ${PROXY}`,
  },
});
let good: GoodClient;
stage.atStart(async () => {
  good = await GoodClient.start(stage.gateway.wsUrl);
});

/** Result of a handshake: the connection, or a status with its code. */
type Outcome = Upgraded | { readonly status: string; readonly retryAfter: string | undefined };

interface From {
  /** Local address of the socket. */
  readonly address: string;
  readonly headers?: Record<string, string>;
  readonly url?: string;
}

async function handshake({ address, headers = {}, url }: From): Promise<Outcome> {
  const agent = new Agent({ localAddress: address } as object);
  try {
    const upgraded = await upgrade(url ?? stage.gateway.httpUrl, headers, { agent });
    upgraded.socket.on('error', () => {});
    return upgraded;
  } catch (refusal) {
    const answer = refusal as IncomingMessage;
    let body = '';
    for await (const chunk of answer) body += chunk;
    const { code } = (JSON.parse(body) as { error: { code: string } }).error;
    const status = `${answer.statusCode} ${code}`;
    return { status, retryAfter: answer.headers['retry-after'] };
  }
}

/** Opens connections, which must succeed. */
async function connected(count: number, from: From | ((index: number) => From)) {
  const open: Upgraded[] = [];
  for (let index = 0; index < count; index++) {
    const outcome = await handshake(typeof from === 'function' ? from(index) : from);
    assert('socket' in outcome, `connection ${index + 1}: ${JSON.stringify(outcome)}`);
    open.push(outcome);
  }
  return open;
}

const TOO_MANY_OF_ADDRESS = { status: '429 too_many_connections', retryAfter: '1' };

/**
 * Asserts that no further connection is accepted, and exactly one more after one has closed.
 */
async function assertFull(open: Upgraded[], from: From, refused: Outcome): Promise<void> {
  assert.deepEqual(await handshake(from), refused);
  open.pop()!.end();
  const next = async () => {
    const outcome = await handshake(from);
    return 'socket' in outcome && outcome;
  };
  open.push(await until(next, { what: 'room for another' }));
  assert.deepEqual(await handshake(from), refused);
}

function end(...connections: readonly Upgraded[]): void {
  for (const connection of connections) connection.end();
}

test('a worker accepts up to its limit of connections, and a new one after one closes', async () => {
  const open = await connected(MAX - 1, (index) => ({ address: `127.0.1.${index + 1}` }));
  const refused = { status: '503 too_many_connections', retryAfter: '1' };
  await assertFull(open, { address: '127.0.2.1' }, refused);
  end(...open);
  const left = async () =>
    (await stage.gateway.metrics()).value('forebay_connections', { transport: 'ws' });
  await until(async () => (await left()) === 1, { what: 'the end of all but the valid client' });
});

test('an address has up to its limit of connections, and a new one after one closes; others connect', async () => {
  const from = { address: '127.0.0.3' };
  const open = await connected(PER_ADDRESS, from);
  await assertFull(open, from, TOO_MANY_OF_ADDRESS);
  end(...open, ...(await connected(PER_ADDRESS, { address: '127.0.0.4' })));
});

test('an untrusted peer cannot claim another address, by header or by PROXY', async () => {
  const address = '127.0.0.5';
  const from = (index: number) => ({
    address,
    headers: {
      'X-Forwarded-For': `9.9.9.${index}`,
      'X-Real-IP': '8.8.8.8',
      Forwarded: 'for=7.7.7.7',
    },
  });
  const open = await connected(PER_ADDRESS, from);
  assert.deepEqual(await handshake(from(99)), TOO_MANY_OF_ADDRESS);
  assert.match(await byHand(address, proxyHeader('9.9.9.9')), /^HTTP\/1\.1 429 /);
  end(...open);
});

test('X-Forwarded-For of a trusted proxy: the entry of the proxy counts, not those of its client', async () => {
  const from = (client: string, spoofed = '') => {
    return { address: PROXY, headers: { 'X-Forwarded-For': `${spoofed}${client}, 10.1.1.1` } };
  };
  const open = await connected(PER_ADDRESS, (index) => from('9.9.9.9', `6.6.6.${index}, `));
  await assertFull(open, from('9.9.9.9', '1.2.3.4, '), TOO_MANY_OF_ADDRESS);
  assert.deepEqual(await handshake(from('::ffff:9.9.9.9')), TOO_MANY_OF_ADDRESS);
  // Clients of one IPv6 network count together.
  const network = await connected(PER_ADDRESS, (index) => from(`2001:db8:0:1:${index}::1`));
  assert.deepEqual(await handshake(from('2001:db8:0:1:ffff::')), TOO_MANY_OF_ADDRESS);
  const others = await connected(1, from('2001:db8:0:2::1'));
  end(...open, ...network, ...others);
});

/** Sends a handshake after these bytes, in parts of `partBytes`. @returns the status line */
async function byHand(address: string, before: Buffer, partBytes = 1_000): Promise<string> {
  const socket = connect({ port: stage.gateway.port, host: '127.0.0.1', localAddress: address });
  byHandSockets.push(socket.setNoDelay());
  await once(socket, 'connect');
  const all = Buffer.concat([before, Buffer.from(HANDSHAKE)]);
  for (let at = 0; at < all.length; at += partBytes) {
    socket.write(all.subarray(at, at + partBytes));
    if (partBytes < before.length) await new Promise((done) => setImmediate(done));
  }
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return String(answer).split('\r\n')[0]!;
}
const byHandSockets: Socket[] = [];

test('a PROXY v2 header of a trusted proxy names the client, in one piece or in many', async () => {
  for (const [first, again] of [
    ['8.8.8.8', '8.8.8.8'],
    ['2001:db8:0:3::1', '2001:db8:0:3:ffff::2'],
  ] as const) {
    for (let index = 0; index < PER_ADDRESS; index++) {
      const answer = await byHand(PROXY, proxyHeader(first), index === 0 ? 1 : 1_000);
      assert.match(answer, /^HTTP\/1\.1 101 /);
    }
    assert.match(await byHand(PROXY, proxyHeader(again)), /^HTTP\/1\.1 429 /);
  }
  assert.match(await byHand(PROXY, proxyHeader('2001:db8:0:4::1')), /^HTTP\/1\.1 101 /);
  for (const socket of byHandSockets) socket.destroy();
});

const POST = (headers = '') =>
  `POST /events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n${headers}Content-Length: 9\r\n\r\n`;
const LIVE = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n';

/** A connection from `address` that sends `text`; the received text, and whether it has ended. */
function raw(address: string, text: string) {
  const socket = connect({ port: stage.gateway.port, host: '127.0.0.1', localAddress: address });
  const received = { socket, text: '', over: false };
  socket.on('data', (bytes) => {
    received.text += bytes;
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    received.over = true;
  });
  if (text !== '') socket.write(text);
  return received;
}
type Raw = ReturnType<typeof raw>;

async function answered(connection: Raw): Promise<string> {
  await until(() => connection.text !== '' || connection.over, { what: 'an answer' });
  return connection.text.split('\r\n')[0]!;
}

test('unanswered requests and WebSockets count together', async (t) => {
  const address = '127.0.0.7';
  const webSockets = await connected(PER_ADDRESS - 1, { address });
  const held = raw(address, POST());
  t.after(() => held.socket.destroy());
  // Its connection counts from the accept on; its purpose is known by the time another is rejected.
  const refused = async () => {
    const outcome = await handshake({ address });
    if (!('socket' in outcome)) return outcome;
    outcome.end();
    return undefined;
  };
  assert.deepEqual(await until(refused, { what: '429' }), TOO_MANY_OF_ADDRESS);
  const beyond = raw(address, `${POST()}[]       `);
  assert.match(await answered(beyond), /^HTTP\/1\.1 429 /);
  assert.match(beyond.text, /Retry-After: 1\r\n/);
  assert.match(beyond.text, /"too_many_connections"/);
  const live = raw(address, LIVE);
  assert.match(await answered(live), /^HTTP\/1\.1 200 /, 'requests answered at once are served');
  await until(() => live.over, { what: 'the end of its connection' });
  held.socket.write('[]       ');
  assert.match(await answered(held), /^HTTP\/1\.1 200 /);
  end(...webSockets);
});

test('connections without a request: an address has up to twice its limit, then they are closed', async (t) => {
  const address = '127.0.0.8';
  const silent = Array.from({ length: 2 * PER_ADDRESS + 3 }, () => raw(address, ''));
  t.after(() => {
    for (const { socket } of silent) socket.destroy();
  });
  const open = () => silent.filter(({ over }) => !over);
  await until(() => open().length === 2 * PER_ADDRESS, { what: 'the end of 3' });
  assert.equal(await answered(raw('127.0.0.9', LIVE)), 'HTTP/1.1 200 OK', 'others may connect');
  open()[0]!.socket.destroy();
  const next = async () => {
    const one = raw(address, LIVE);
    return /^HTTP\/1\.1 200 /.test(await answered(one));
  };
  await until(next, { what: 'room for another' });
});

test('successive requests on one connection count as one connection', async (t) => {
  const one = raw('127.0.0.10', '');
  t.after(() => one.socket.destroy());
  for (let request = 1; request <= 5 * PER_ADDRESS; request++) {
    one.socket.write(request % 2 === 0 ? LIVE : `${POST()}[]       `);
    await until(() => one.over || one.text.split('HTTP/1.1 200 ').length === request + 1);
    assert.doesNotMatch(one.text, /close/i);
  }
});

test('requests through a trusted proxy count for the client that it names; the proxy itself is unlimited', async (t) => {
  const from = (client: string) => raw(PROXY, POST(`X-Forwarded-For: ${client}\r\n`));
  const held = Array.from({ length: PER_ADDRESS }, () => from('9.9.8.8'));
  const many = Array.from({ length: 3 * PER_ADDRESS }, () => raw(PROXY, ''));
  t.after(() => {
    for (const { socket } of [...held, ...many]) socket.destroy();
  });
  const refused = async () => {
    const one = from('9.9.8.8');
    one.socket.write('[]       ');
    return /^HTTP\/1\.1 429 /.test(await answered(one));
  };
  await until(refused, { what: '429' });
  const other = from('9.9.8.7');
  other.socket.write('[]       ');
  assert.match(await answered(other), /^HTTP\/1\.1 200 /);
  assert.equal(many.filter(({ over }) => over).length, 0);
});

test('through HAProxy, by PROXY v2 and by X-Forwarded-For: each client has its own address', {
  skip: missingTool('haproxy'),
}, async (t) => {
  const proxied = await startHaproxy(t, stage.gateway.port, PROXY);
  for (const [index, url] of [proxied.tcpUrl, proxied.httpUrl].entries()) {
    const address = `127.0.3.${index + 1}`;
    // HAProxy appends its entry to that of its client.
    const from = { address, headers: { 'X-Forwarded-For': '9.9.9.9' }, url };
    const open = await connected(PER_ADDRESS, from);
    await assertFull(open, from, TOO_MANY_OF_ADDRESS);
    // The same client without the proxy.
    assert.deepEqual(await handshake({ address }), TOO_MANY_OF_ADDRESS);
    const others = await connected(PER_ADDRESS, { address: `127.0.4.${index + 1}`, url });
    end(...open, ...others);
  }
});

/** Sends invalid events by HTTP. @returns codes of the response */
async function postBad(client: string): Promise<string[]> {
  const agent = new Agent({ localAddress: PROXY } as object);
  const headers = { 'X-Forwarded-For': client };
  const asked = request(`${stage.gateway.httpUrl}/events`, { method: 'POST', agent, headers });
  asked.end(`[${Array(3 * RATE.burst).fill('{}')}]`);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let body = '';
  for await (const chunk of answer) body += chunk;
  const { errors } = JSON.parse(body) as { errors: { code: string }[] };
  return errors.map(({ code }) => code);
}

test('each address has an event rate of its own', async () => {
  const network = '2001:db8:0:5';
  assert.deepEqual(await postBad(`${network}::1`), ['schema', 'rate_limited']);
  assert.deepEqual(await postBad('9.9.9.10'), ['schema', 'rate_limited']);
  await good.serve(10);
});

test('rejections are counted, no address is a label or in the log, and another client was served', async (t) => {
  const metrics = await freshMetrics(stage.gateway);
  const reason = { reason: 'too_many_connections' };
  const refused = metrics.value('forebay_handshakes_refused_total', reason);
  assert.equal(refused, metrics.value('forebay_handshakes_refused_total'));
  assert(refused >= 2 + 2 + 2 + 4 + 2, `${refused}`);
  const text = await (await fetch(`${stage.gateway.adminUrl}/metrics`)).text();
  for (const said of [text, JSON.stringify(stage.gateway.log)]) {
    assert.doesNotMatch(said, /9\.9\.9\.|8\.8\.8\.|6\.6\.6\.|127\.0\.0\.3|2001:db8/);
  }
  t.diagnostic((await good.stop()).summary);
  assert.deepEqual(stage.gateway.errors, []);
});

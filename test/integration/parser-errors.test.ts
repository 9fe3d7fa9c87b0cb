/** Responses of uWebSockets.js's parser, as documented in docs/protocol.md, and their log lines. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { LIMITS } from '../../src/config/limits.ts';
import { Authority } from '../../testing/certificates.ts';
import { type Gateway, startGateway, TRANSPORT } from '../../testing/gateway.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { expected } from '../fixtures/transport-differences.ts';
import { proxyHeader } from '../support/proxy-header.ts';
import { RawHttp } from '../support/raw-http.ts';

const UNHEARD = 'no valid request from a trusted proxy';
const V1 = 'PROXY TCP4 192.0.2.1 192.0.2.2 1111 9000\r\n';

/** Starts a gateway without Kafka: these tests store nothing. */
function startAlone(env: Record<string, string> = {}): Promise<Gateway> {
  return startGateway({
    brokers: ['127.0.0.1:1'],
    topic: uniqueTopic('parser'),
    ready: false,
    env: { FOREBAY_TRUSTED_PROXIES: '127.0.0.1', ...env },
  });
}

async function listens({ httpUrl }: Gateway): Promise<void> {
  await until(async () => (await fetch(`${httpUrl}/livez`)).ok, { what: 'its port' });
}

let gateway: Gateway;
before(async () => {
  gateway = await startAlone();
  await listens(gateway);
});
after(async () => {
  await gateway?.kill();
});

const unheard = (of = gateway) => of.log.filter(({ msg }) => msg === UNHEARD);

/** Sends these bytes. @returns everything received until the connection has ended */
async function answerTo(text: string | Buffer): Promise<string> {
  const http = new RawHttp(gateway.port);
  http.write(text);
  await http.ended();
  return http.text;
}

const head = (...lines: string[]) => `${lines.join('\r\n')}\r\n\r\n`;
const manyHeaders = (count: number) =>
  head(
    'GET /livez HTTP/1.1',
    'Host: a',
    ...Array.from({ length: count - 1 }, (_, i) => `h${i}: x`),
  );
/** Returns a request whose head has `bytes`. */
const longHead = (bytes: number) => {
  const short = head('GET /livez HTTP/1.1', 'Host: a', 'Long: ');
  return short.replace('Long: ', `Long: ${'x'.repeat(bytes - short.length)}`);
};

test('a proxy with PROXY v1 is logged once, with the possible cause', async () => {
  for (const text of [V1, 'PROXY UNKNOWN\r\n', V1.replace('TCP4', 'TCP6')]) {
    const answer = await answerTo(`${text}${head('GET /livez HTTP/1.1', 'Host: a')}`);
    assert.match(answer, expected(/^HTTP\/1.1 505 /, /^HTTP\/1.1 400 /));
  }
  await until(() => unheard().length > 0, { what: UNHEARD });
  const [line] = unheard();
  assert.equal(line?.level, 'warn');
  assert.equal(line?.proxy, '127.0.0.1');
  assert.match(String(line?.hint), /^PROXY v1 \(v2 is needed\), .*HTTP\/1\.0/);
  for (let count = 0; count < 5; count++) await answerTo(V1);
  assert.equal(unheard().length, 1);
});

test('a proxy with PROXY v1 on the TLS port is logged, without a response', {
  skip: missingTool('openssl'),
}, async (t) => {
  const authority = new Authority();
  const { certFile, keyFile } = authority.issue('localhost');
  const tls = { FOREBAY_TLS_CERT_FILE: certFile, FOREBAY_TLS_KEY_FILE: keyFile };
  const secure = await startAlone(tls);
  t.after(() => secure.kill());
  const told = async () => {
    const http = new RawHttp(secure.port);
    http.write(V1);
    await http.ended();
    assert.doesNotMatch(http.text, /HTTP/);
    return unheard(secure).length === 1;
  };
  await until(told, { what: UNHEARD });
});

/** Returns a PROXY v2 header of an IPv4 client with an extension of `bytes` of NOOP. */
function extended(bytes: number): Buffer {
  const header = proxyHeader('192.0.2.1');
  const extension = Buffer.alloc(bytes);
  extension[0] = 0x04;
  extension.writeUInt16BE(bytes - 3, 1);
  header.writeUInt16BE(12 + bytes, 14);
  return Buffer.concat([header, extension]);
}

test('PROXY v2 with extensions beyond 36 bytes: no response, and logged', {
  skip: TRANSPORT === 'node' && 'Node.js accepts it',
}, async (t) => {
  const other = await startAlone();
  t.after(() => other.kill());
  await listens(other);
  const request = head('GET /livez HTTP/1.1', 'Host: a');
  const ask = (bytes: number) => {
    const http = new RawHttp(other.port);
    http.write(Buffer.concat([extended(bytes), Buffer.from(request)]));
    return http;
  };
  const long = [25, 72, 300].map(ask);
  for (const http of long) await http.ended();
  assert.deepEqual(
    long.map(({ text }) => text),
    ['', '', ''],
  );
  await until(() => unheard(other).length === 1, { what: UNHEARD });
  const short = ask(24);
  assert.equal((await short.answer()).status, 200);
  short.destroy();
});

test('a proxy with valid requests is not logged, whatever its TCP checks', async (t) => {
  const other = await startAlone();
  await listens(other);
  t.after(() => other.kill());
  const check = async () => {
    const http = new RawHttp(other.port);
    await http.flushed();
    await http.end();
  };
  await check();
  const http = new RawHttp(other.port);
  http.request('GET /livez');
  assert.equal((await http.answer()).status, 200);
  http.destroy();
  for (let count = 0; count < 20; count++) await check();
  assert.equal((await fetch(`${other.httpUrl}/livez`)).status, 200);
  assert.deepEqual(unheard(other), []);
});

test('98 headers are accepted, 99 are 431; a head of 16 KiB is accepted, a byte more is 431', async () => {
  const http = new RawHttp(gateway.port);
  http.write(manyHeaders(98));
  assert.equal((await http.answer()).status, 200);
  http.write(longHead(LIMITS.headersBytes));
  assert.equal((await http.answer()).status, 200);
  http.destroy();
  const tooLarge = /^HTTP\/1.1 431 Request Header Fields Too Large\r\n/;
  for (const count of [99, 100, 101, 500])
    assert.match(await answerTo(manyHeaders(count)), tooLarge);
  for (const bytes of [LIMITS.headersBytes + 1, 2 * LIMITS.headersBytes]) {
    assert.match(await answerTo(longHead(bytes)), tooLarge);
  }
});

test('unsupported requests are 505, malformed ones 400; each with Connection: close', async () => {
  for (const [status, text] of [
    [505, head(`GET /livez HTTP/${expected('1.0', '1.2')}`, 'Host: a')],
    [505, head('GET /livez HTTP/2.0', 'Host: a')],
    [505, head('PRI * HTTP/2.0', '', 'SM')],
    [505, head('GET http://a/livez HTTP/1.1', 'Host: a')],
    [505, head('OPTIONS * HTTP/1.1', 'Host: a')],
    [505, head('CONNECT a:1 HTTP/1.1', 'Host: a')],
    [505, 'GET /livez HTTP/1.1\nHost: a\n\n'],
    [expected(505, 400), `${V1}x`],
    [400, head('GET /livez HTTP/1.1')],
    [400, head('GET /livez HTTP/1.1', 'Host: a', 'no colon')],
    [400, head('GET /livez HTTP/1.1', 'Host: a', 'b : c')],
    [400, head('POST /events HTTP/1.1', 'Host: a', 'Content-Length: -1')],
    [400, head('POST /events HTTP/1.1', 'Host: a', `Content-Length: ${'9'.repeat(30)}`)],
  ] as const) {
    const answer = await answerTo(text);
    assert.match(answer, new RegExp(`^HTTP/1.1 ${status} [^]*\r\nConnection: close\r\n`), text);
    assert.doesNotMatch(answer, /alive/);
  }
});

test('TLS on the plain port is 505, which a TLS client reports as a wrong version', async () => {
  const code = await new Promise((resolve) => {
    const socket = connectTls({ port: gateway.port, host: '127.0.0.1', rejectUnauthorized: false });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code));
    socket.on('secureConnect', () => resolve('connected'));
  });
  assert.match(String(code), /WRONG_VERSION_NUMBER|PACKET_LENGTH|ECONNRESET/);
});

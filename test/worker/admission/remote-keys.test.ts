import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, beforeEach, test } from 'node:test';
import { createGzip } from 'node:zlib';
import type { KeySet } from '../../../src/api-keys/format.ts';
import { LIMITS } from '../../../src/config/limits.ts';
import { Identity } from '../../../src/worker/admission/identity.ts';
import { JwtVerifier } from '../../../src/worker/admission/jwt.ts';
import { RemoteKeys } from '../../../src/worker/admission/remote-keys.ts';
import { until } from '../../../testing/wait.ts';
import { AUDIENCE, ISSUER, Issuer, JwksServer, keySetOf } from '../../support/issuer.ts';

const OPTIONS = {
  audience: AUDIENCE,
  issuer: ISSUER,
  algorithms: ['ES256'],
  clockToleranceMs: 0,
  streamsClaim: 'forebay_streams',
};
const LONG_MS = 3_600_000;

let [old, next]: Issuer[] = [];
let server: JwksServer;
before(async () => {
  [old, next] = await Promise.all([Issuer.create('old'), Issuer.create('next')]);
});
beforeEach(async () => {
  server?.close();
  server = await new JwksServer(keySetOf(old!)).listen();
});
after(() => server.close());

interface Pauses {
  readonly coolDownMs: number;
  readonly retryMs: number;
}

function verifier(pauses: Pauses, failures: string[] = []) {
  const url = new URL(server.url);
  const keys = new RemoteKeys({ url, failed: (reason) => failures.push(reason), ...pauses });
  const jwt = new JwtVerifier(OPTIONS, keys.find);
  return async (issuer: Issuer) => {
    const result = await jwt.verify(await issuer.token());
    if (result instanceof Identity) return 'good';
    return result.unavailable ? 'unavailable' : 'bad';
  };
}

test('the keys are fetched once for many tokens', async () => {
  const verify = verifier({ coolDownMs: LONG_MS, retryMs: LONG_MS });
  const verdicts = await Promise.all(Array.from({ length: 20 }, () => verify(old!)));
  assert.deepEqual(new Set(verdicts), new Set(['good']));
  assert.equal(server.requests, 1);
});

test('a new key is found with its first token', async () => {
  const verify = verifier({ coolDownMs: 0, retryMs: LONG_MS });
  assert.equal(await verify(old!), 'good');
  server.keySet = keySetOf(next!);
  assert.equal(await verify(next!), 'good');
  assert.equal(await verify(old!), 'bad', 'a removed key is not trusted');
});

test('unknown keys cause no fetch before the cool-down is over', async () => {
  const verify = verifier({ coolDownMs: LONG_MS, retryMs: 0 });
  assert.equal(await verify(old!), 'good');
  for (let index = 0; index < 20; index++) assert.equal(await verify(next!), 'bad');
  assert.equal(server.requests, 1);
});

test('while fetches fail, tokens are unverifiable, and each token does not cause a fetch', async () => {
  server.state = 'broken';
  const failures: string[] = [];
  const verify = verifier({ coolDownMs: 0, retryMs: LONG_MS }, failures);
  await until(() => failures.length > 0, { what: 'the first failure' });
  for (let index = 0; index < 20; index++) assert.equal(await verify(old!), 'unavailable');
  assert.equal(server.requests, 1, 'one request was sent');
  assert.match(failures[0]!, /Expected 200 OK/);
});

test('previous keys stay in use while fetches fail', async () => {
  const failures: string[] = [];
  const verify = verifier({ coolDownMs: 0, retryMs: LONG_MS }, failures);
  assert.equal(await verify(old!), 'good');
  server.state = 'broken';
  assert.equal(await verify(next!), 'unavailable');
  assert.equal(failures.length, 1, 'the failure has happened');
  assert.equal(await verify(old!), 'good');
  assert.equal(await verify(next!), 'unavailable');
  assert.equal(server.requests, 2);
});

test('a failed fetch is retried', async () => {
  server.state = 'broken';
  const verify = verifier({ coolDownMs: 0, retryMs: 0 });
  assert.equal(await verify(old!), 'unavailable');
  server.state = 'good';
  assert.equal(await verify(old!), 'good');
});

const BAD: readonly (readonly [
  what: string,
  keySet: (issuer: Issuer) => unknown,
  reason: RegExp,
])[] = [
  [
    'a shared secret',
    ({ jwk }) => ({ keys: [jwk, { kty: 'oct', k: 'c2VjcmV0' }] }),
    /not a public/,
  ],
  [
    'a shared secret without its value',
    ({ jwk }) => ({ keys: [jwk, { kty: 'oct' }] }),
    /not a public key/,
  ],
  [
    'a private key',
    ({ jwk }) => ({ keys: [{ ...jwk, d: 'AQ' }] }),
    /keys\[0\] is not a public key/,
  ],
  ['too many keys', ({ jwk }) => ({ keys: Array(101).fill(jwk) }), /has more than 100 keys$/],
  [
    'too many bytes',
    ({ jwk }) => ({ keys: [jwk], x: 'x'.repeat(262_144) }),
    /longer than 262144 b/,
  ],
  ['an array', () => [], /^the response must hold an object$/],
];

for (const [what, keySet, reason] of BAD) {
  test(`${what} in the response: an error, and the previous keys stay`, async () => {
    const failures: string[] = [];
    const verify = verifier({ coolDownMs: 0, retryMs: 0 }, failures);
    assert.equal(await verify(old!), 'good');
    server.keySet = keySet(next!) as KeySet;
    assert.equal(await verify(next!), 'unavailable');
    assert.match(failures[0]!, reason);
    assert.equal(await verify(old!), 'good');
  });
}

test('an endless response is aborted at the size limit, also if compressed', async (t) => {
  let packed = false;
  let sent = 0;
  const endless = createServer((_, response) => {
    sent = 0;
    const gzip = createGzip();
    const out = packed ? gzip : response;
    if (packed) {
      response.setHeader('Content-Encoding', 'gzip');
      gzip.pipe(response);
    }
    const more = () => {
      while (!response.destroyed && out.write(' '.repeat(65_536))) sent++;
    };
    out.on('drain', more).on('error', () => {});
    response.on('error', () => {});
    more();
  });
  await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    endless.close();
    endless.closeAllConnections();
  });
  const url = new URL(`http://127.0.0.1:${(endless.address() as AddressInfo).port}/`);
  for (packed of [false, true]) {
    const failures: string[] = [];
    new RemoteKeys({ url, failed: (reason) => failures.push(reason) });
    await until(() => failures.length > 0, { what: 'the failure' });
    assert.equal(failures[0], 'the response is longer than 262144 bytes');
    assert(sent < 2_000, 'reading was aborted');
  }
});

test('a response that never ends is aborted at the timeout, with a reason', async (t) => {
  const limits: { timeoutMs: number } = LIMITS.jwks;
  const { timeoutMs } = limits;
  limits.timeoutMs = 200;
  const dripping = createServer((_, response) => {
    const timer = setInterval(() => response.write(' '), 20);
    response.on('close', () => clearInterval(timer));
  });
  await new Promise<void>((resolve) => dripping.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    limits.timeoutMs = timeoutMs;
    dripping.close();
    dripping.closeAllConnections();
  });
  const url = new URL(`http://127.0.0.1:${(dripping.address() as AddressInfo).port}/`);
  const failures: string[] = [];
  new RemoteKeys({ url, failed: (reason) => failures.push(reason) });
  await until(() => failures.length > 0, { what: 'the failure' });
  assert.equal(failures[0], 'no response within 200 ms');
});

test('an address without a listener is reported with a reason', async () => {
  const { url } = server;
  server.close();
  const failures: string[] = [];
  new RemoteKeys({ url: new URL(url), failed: (reason) => failures.push(reason) });
  await until(() => failures.length > 0, { what: 'the first failure' });
  assert.equal(failures[0], 'connection refused (ECONNREFUSED)');
});

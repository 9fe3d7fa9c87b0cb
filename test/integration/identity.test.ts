/**
 * Authentication: each origin with each kind of credentials, in each way to present them, while a
 * client with a key keeps sending.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { UnsecuredJWT } from 'jose';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import type { LogLine } from '../../testing/gateway.ts';
import { assertNoSecrets, KeyFile } from '../../testing/key-file.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { untilLogged } from '../../testing/watch.ts';
import { AUDIENCE, ISSUER, Issuer, inSeconds, keySetOf } from '../support/issuer.ts';
import { upgrade } from '../support/upgrade.ts';
import { useFrameClient, useStage } from '../support/use-stage.ts';

const LISTED = 'https://app.example';

const keys = new KeyFile();
/** Tokens by kind, and the accepted ones. */
let tokens: Readonly<Record<string, string>>;
const GOOD = new Set(['a key', 'a JWT', 'an RSA JWT', 'a JWT with a sub of many lines']);
/** Headers and body of every response. */
const answers: string[] = [];
const exchangesMs: number[] = [];

const stage = useStage(async () => {
  const [issuer, rsa, stranger] = await Promise.all([
    Issuer.create('1'),
    Issuer.create('2', 'RS256'),
    Issuer.create('1'),
  ]);
  tokens = await tokensOf(issuer!, rsa!, stranger!);
  keys.write('till', 'bystander', { name: 'over', expires: '2020-01-01' });
  const jwks = join(keys.folder, 'jwks.json');
  writeFileSync(jwks, JSON.stringify(keySetOf(issuer!, rsa!)));
  return {
    env: {
      FOREBAY_ORIGINS: `https://other.example, ${LISTED}`,
      FOREBAY_KEYS_FILE: keys.path,
      FOREBAY_JWT_JWKS_FILE: jwks,
      FOREBAY_JWT_AUDIENCE: AUDIENCE,
      FOREBAY_JWT_ISSUER: ISSUER,
    },
  };
});
const client = useFrameClient(stage, () => keys.bearer('bystander'));
after(() => keys.remove());

async function tokensOf(
  issuer: Issuer,
  rsa: Issuer,
  stranger: Issuer,
): Promise<Record<string, string>> {
  const good = await issuer.token();
  const [head, , signature] = good.split('.');
  const other = Buffer.from(JSON.stringify({ ...CLAIMS, sub: 'root' })).toString('base64url');
  return {
    'a key': keys.token('till'),
    'a JWT': good,
    'an RSA JWT': await rsa.token(),
    'a JWT with a sub of many lines': await issuer.token({ sub: `${'x\n'.repeat(200)}"}` }),
    'an unknown key': keys.token('unknown'),
    'an expired key': keys.token('over'),
    'the hash of a key': keys.secrets[1]!,
    'an expired JWT': await issuer.token({ exp: inSeconds(-60) }),
    'a JWT without exp': await issuer.token({ exp: undefined }),
    'a JWT before nbf': await issuer.token({ nbf: inSeconds(3_600) }),
    'a JWT for another audience': await issuer.token({ aud: 'another audience' }),
    'a JWT without aud': await issuer.token({ aud: undefined }),
    'a JWT of another issuer': await issuer.token({ iss: `${ISSUER}.evil` }),
    'a JWT with replaced claims': `${head}.${other}.${signature}`,
    'a JWT signed with another key': await stranger.token(),
    'a JWT with an unknown kid': await issuer.token({}, { header: { kid: 'evil' } }),
    'a JWT of a disallowed algorithm': await (await Issuer.create('3', 'ES384')).token(),
    'an unsecured JWT': new UnsecuredJWT(CLAIMS).encode(),
    'a JWT whose shared secret is the public key': await rsa.token(
      {},
      { header: { alg: 'HS256' }, key: await rsa.pem() },
    ),
    'text in the form of a JWT': 'a.b.c',
  };
}

const CLAIMS = { sub: 'till 7', aud: AUDIENCE, iss: ISSUER, exp: inSeconds(3_600) };

type Headers = Record<string, string>;

/** Requests a WebSocket. @returns the status, 101 on success */
async function handshake(headers: Headers): Promise<number> {
  try {
    const { socket, protocol } = await upgrade(stage.gateway.httpUrl, headers);
    answers.push(`subprotocol ${protocol}`);
    socket.destroy();
    return 101;
  } catch (refused) {
    const response = refused as IncomingMessage;
    let body = '';
    for await (const data of response) body += data;
    note('ws', response.statusCode, response.headers, body);
    return response.statusCode ?? 0;
  }
}

async function postStatus(headers: Headers, path = '/events'): Promise<number> {
  const response = await fetch(`${stage.gateway.httpUrl}${path}`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: good('posted'),
  });
  const body = await response.text();
  note('http', response.status, Object.fromEntries(response.headers), body);
  return response.status;
}

function note(way: string, status: number | undefined, headers: object, body: string): void {
  answers.push(JSON.stringify({ way, status, headers: { ...headers, date: '' }, body }));
}

/** Sends a frame of the client with a key, which must succeed. */
async function bystander(): Promise<void> {
  const sinceMs = performance.now();
  assert.deepEqual(await client.exchange(good('bystander')), []);
  exchangesMs.push(performance.now() - sinceMs);
}

/** The ways to present a token, each with the status of success. */
const WAYS: readonly [string, number, (origin: Headers, token?: string) => Promise<number>][] = [
  ['a handshake', 101, (origin, token) => handshake({ ...origin, ...bearer(token) })],
  [
    'a handshake with the token as a subprotocol',
    101,
    (origin, token) => {
      const asked = token === undefined ? 'forebay.v1' : `forebay.v1, forebay.key.${token}`;
      return handshake({ ...origin, 'Sec-WebSocket-Protocol': asked });
    },
  ],
  ['POST /events', 200, (origin, token) => postStatus({ ...origin, ...bearer(token) })],
];

function bearer(token: string | undefined): Headers {
  return token === undefined ? {} : { Authorization: `Bearer ${token}` };
}

/** Returns the counters of rejections with this reason, for handshakes and requests. */
async function refused(reason: string): Promise<[ws: number, http: number]> {
  const metrics = await freshMetrics(stage.gateway);
  return [
    metrics.value('forebay_handshakes_refused_total', { reason }),
    metrics.value('forebay_requests_refused_total', { reason }),
  ];
}

test('every origin with all credentials, in each way: 403, 401 or accepted', async (t: TestContext) => {
  const seriesBefore = [...(await stage.gateway.metrics()).series.keys()];
  const origins: [string, Headers, boolean][] = [
    ['no origin', {}, true],
    ['a listed origin', { Origin: LISTED }, true],
    ['the same host', { Origin: stage.gateway.httpUrl }, false],
    ['another origin', { Origin: 'https://evil.example' }, false],
    ['null', { Origin: 'null' }, false],
  ];
  const credentials: [string, string | undefined][] = [
    ['nothing', undefined],
    ...Object.entries(tokens),
  ];
  for (const [from, origin, isAllowed] of origins) {
    for (const [what, token] of credentials) {
      const admitted = GOOD.has(what);
      const statuses = await Promise.all([
        ...WAYS.map(([, , ask]) => ask(origin, token)),
        bystander(),
      ]);
      for (const [index, [way, success]] of WAYS.entries()) {
        const expected = isAllowed ? (admitted ? success : 401) : 403;
        assert.equal(statuses[index], expected, `${way} from ${from} with ${what}`);
      }
    }
  }
  const [rows, bad] = [credentials.length, credentials.length - GOOD.size];
  assert.deepEqual(await refused('forbidden_origin'), [2 * 3 * rows, 3 * rows]);
  assert.deepEqual(await refused('unauthorized'), [2 * 2 * bad, 2 * bad]);
  const seriesAfter = [...(await stage.gateway.metrics()).series.keys()];
  assert.deepEqual(seriesAfter, seriesBefore, 'clients cannot create series');
  exchangesMs.sort((a, b) => a - b);
  const p99 = exchangesMs[Math.floor(exchangesMs.length * 0.99)];
  t.diagnostic(`the other client: p99 ${p99?.toFixed(1)} ms, ${exchangesMs.length} frames`);
});

/** Returns a response as text, without the headers that depend on the page. */
function withoutCors(answer: { headers: Record<string, string> }): string {
  const kept = Object.entries(answer.headers).filter(([name]) => !/^vary$|^access-/.test(name));
  return JSON.stringify({ ...answer, headers: Object.fromEntries(kept) });
}

test('all authentication failures have the same response', () => {
  const refusals = answers.filter((answer) => answer.includes('"status":401'));
  assert(refusals.length > 100, `${refusals.length} refusals`);
  // CORS headers depend on the page only, not on its credentials.
  const told = new Set(refusals.map((answer) => withoutCors(JSON.parse(answer))));
  const different = [...told].map((answer) => JSON.parse(answer));
  assert.deepEqual(different.map(({ way }) => way).sort(), ['http', 'ws']);
  for (const { headers, body } of different) {
    assert.equal(headers['www-authenticate'], 'Bearer');
    assert.equal(JSON.parse(body).error.code, 'unauthorized');
  }
});

test('the server selects forebay.v1, never the subprotocol with the key', () => {
  const chosen = new Set(answers.filter((answer) => answer.startsWith('subprotocol')));
  assert.deepEqual(chosen, new Set(['subprotocol undefined', 'subprotocol forebay.v1']));
});

test('header values other than one Bearer token are rejected', async () => {
  const token = keys.token('till');
  for (const Authorization of [
    'Bearer',
    `Basic ${token}`,
    token,
    `Bearer ${token} ${token}`,
    `Bearer ${token},`,
    `Bearer "${token}"`,
    `Bearer ${token}${'='.repeat(3)}x`,
  ]) {
    assert.equal(await postStatus({ Authorization }), 401, Authorization.replace(token, '…'));
    assert.equal(await handshake({ Authorization }), 401, Authorization.replace(token, '…'));
  }
  for (const scheme of ['bearer', 'BEARER', 'Bearer  ']) {
    assert.equal(await postStatus({ Authorization: `${scheme} ${token}` }), 200, scheme);
  }
  const both = { ...bearer('wrong'), 'Sec-WebSocket-Protocol': `forebay.key.${token}` };
  assert.equal(await handshake(both), 401, 'the header counts');
});

test('a token in the URL is ignored', async () => {
  const token = keys.token('till');
  for (const name of ['key', 'token', 'access_token']) {
    assert.equal(await postStatus({}, `/events?${name}=${token}`), 401, name);
  }
});

test('page, health and preflights need no key; unknown paths respond alike with and without one', async () => {
  for (const path of ['/', '/page.js', '/livez', '/readyz']) {
    const { status } = await fetch(`${stage.gateway.httpUrl}${path}`);
    assert.equal(status, 200, path);
  }
  assert.equal((await fetch(`${stage.gateway.httpUrl}/nothing`)).status, 404);
});

test('a frame and a body with a key are stored', async () => {
  await stage.newRecords();
  const protocols = [`forebay.key.${tokens['a JWT']}`];
  const browser = await FrameClient.open(stage.gateway.wsUrl, { Origin: LISTED }, protocols);
  assert.deepEqual(await browser.exchange(good('from a browser')), []);
  await browser.close();
  assert.equal(await postStatus(bearer(tokens['a JWT'])), 200);
  const values = (await stage.newValues()).sort();
  assert.deepEqual(values, [good('from a browser'), good('posted')]);
});

test('the log line of an invalid event names its identity, in each way', async () => {
  const { gateway } = stage;
  assert.equal((await client.exchange('{}')).length, 1);
  const headers = bearer(keys.token('till'));
  const body = { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers } };
  assert.equal((await fetch(`${gateway.httpUrl}/events`, { ...body, body: '[1]' })).status, 400);
  const plain = await new PlainClient({ url: gateway.wsUrl, headers }).open();
  plain.socket.send('{');
  await untilLogged(gateway, 'invalid event of a plain client rejected');
  await plain.close();
  const whose = ({ code, identity, transport }: LogLine) => [code, identity, transport];
  const told = gateway.log.filter(({ msg }) => msg === 'event rejected');
  assert.deepEqual(told.map(whose), [
    ['schema', 'bystander', 'ws'],
    ['not_an_object', 'till', 'http'],
  ]);
  const [untold] = gateway.log.filter(({ msg }) => msg?.startsWith('invalid event'));
  assert.deepEqual(whose(untold!), ['invalid_json', 'till', undefined]);
});

test('no secret is in any log line, answer or metric, and no client’s text in a log line', async () => {
  const parts = Object.entries(tokens)
    .filter(([what]) => what !== 'text in the form of a JWT')
    .flatMap(([, token]) => token.split('.'))
    .filter((part) => part.length > 40);
  assert(parts.length > 30, `${parts.length} parts of tokens`);
  await assertNoSecrets(stage.gateway, [...keys.secrets, ...parts], answers);
  const log = JSON.stringify(stage.gateway.log);
  for (const text of ['another audience', 'evil', 'till 7', 'root']) {
    assert(!log.includes(text), `${text} is in the log`);
  }
  const reasons = stage.gateway.log.filter(({ msg }) => msg === 'client authentication failed');
  assert(reasons.length >= 10, 'operators see the reasons');
  assert(
    reasons.some(({ identity }) => identity === 'over'),
    'expired keys are named',
  );
  assert.deepEqual(stage.gateway.errors, []);
  assert.deepEqual(client.violations, []);
});

/** Added and removed keys, expiring tokens, and unavailable key sets, while clients send. */
import assert from 'node:assert/strict';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { addToFile } from '../../src/api-keys/file.ts';
import { tokenHash } from '../../src/api-keys/token.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { assertNoSecrets, KeyFile } from '../../testing/key-file.ts';
import { HandshakeRefused } from '../../testing/socket.ts';
import { freshMetrics, post } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { AUDIENCE, ISSUER, Issuer, inSeconds, JwksServer, keySetOf } from '../support/issuer.ts';
import { useStage } from '../support/use-stage.ts';

const keys = new KeyFile();
let server: JwksServer;
let issuer: Issuer;
/** Client with a key that stays valid. */
let client: FrameClient;

const stage = useStage(async () => {
  issuer = await Issuer.create('1');
  server = await new JwksServer(keySetOf(issuer)).listen();
  server.state = 'broken';
  keys.write('bystander', 'till');
  return {
    env: {
      FOREBAY_KEYS_FILE: keys.path,
      FOREBAY_JWT_JWKS_URL: server.url,
      FOREBAY_JWT_AUDIENCE: AUDIENCE,
      FOREBAY_JWT_ISSUER: ISSUER,
      FOREBAY_JWT_CLOCK_TOLERANCE_MS: '0',
    },
  };
});
stage.atStart(async () => {
  client = await FrameClient.open(stage.gateway.wsUrl, keys.bearer('bystander'));
  stage.atEnd(() => client.close());
});
after(() => {
  server?.close();
  keys.remove();
});

const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const postAs = (token: string, body = good('posted')) =>
  post(stage, body, 'application/json', bearer(token));
const statusOf = async (name: string) => (await postAs(keys.token(name))).status;
const entry = (name: string) => ({ name, sha256: tokenHash(keys.token(name)) });
const lines = (msg: string) => stage.gateway.log.filter((line) => line.msg === msg);

/** Sends a handshake that must be rejected. @returns its status */
async function refusedStatus(token: string): Promise<number> {
  try {
    await FrameClient.open(stage.gateway.wsUrl, bearer(token));
  } catch (error) {
    assert(error instanceof HandshakeRefused, String(error));
    return error.status;
  }
  return assert.fail('it was taken');
}

test('key set unavailable: JWTs get 503 with Retry-After, API keys work', async () => {
  const token = await issuer.token();
  const { status, headers, body } = await postAs(token);
  assert.equal(status, 503);
  assert.equal(headers.get('retry-after'), '2');
  assert.equal((body as unknown as { error: { code: string } }).error.code, 'identity_unavailable');
  assert.equal(await refusedStatus(token), 503);
  assert.equal(await refusedStatus('a.b'), 401, 'a token that cannot be a JWT needs no key set');
  assert.equal(await statusOf('till'), 200);
  assert.deepEqual(await client.exchange(good('bystander')), []);
  const [line] = lines('failed to fetch JWKS');
  assert.match(String(line?.reason), /Expected 200 OK/);
});

/** Causes a request for the key set that stays unanswered: new clients have to wait. */
async function beginWaiting(token: string): Promise<void> {
  server.state = 'silent';
  await until(
    () => {
      // Answered 503 until the next request for the key set is due; then this one waits.
      request(`${stage.gateway.httpUrl}/events`, { method: 'POST', headers: bearer(token) })
        .on('response', (response) => response.resume())
        .on('error', () => {})
        .end(good('first to wait'));
      return server.waiting > 0;
    },
    { everyMs: 100, what: 'a request for the key set' },
  );
}

test('clients that disconnect during authentication, and clients that wait with a long body', async () => {
  const token = await issuer.token();
  await beginWaiting(token);
  for (const path of ['/events', '/ws']) {
    const upgrade = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' };
    const key = { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' };
    const headers = { ...bearer(token), ...(path === '/ws' && { ...upgrade, ...key }) };
    const method = path === '/ws' ? 'GET' : 'POST';
    const gone = request(`${stage.gateway.httpUrl}${path}`, { method, headers });
    gone.on('error', () => {}).end(path === '/ws' ? undefined : good('gone'));
    await new Promise((sent) => gone.once('finish', sent));
    gone.destroy();
  }
  const body = good('long').padEnd(1_000_000, ' ');
  const answers = [postAs(token, body), postAs(await (await Issuer.create('1')).token(), body)];
  const socket = FrameClient.open(stage.gateway.wsUrl, bearer(token));
  assert.equal(await statusOf('till'), 200, 'API keys do not wait for the key set');
  server.speak();
  const [mine, stranger] = await Promise.all(answers);
  assert.deepEqual([mine?.status, mine?.body.accepted], [200, 1]);
  assert.equal(stranger?.status, 401);
  const opened = await socket;
  assert.deepEqual(await opened.exchange(good('after waiting')), []);
  await opened.close();
  await until(
    async () =>
      (await freshMetrics(stage.gateway)).value('forebay_connections', { transport: 'ws' }) === 1,
  );
});

test('a fetched key set stays in use while it cannot be refreshed', async () => {
  server.state = 'broken';
  assert.equal((await postAs(await issuer.token())).status, 200);
});

test('clients that disconnect at any time during authentication do not affect the worker', async () => {
  const workers = stage.gateway.workers();
  const [token, stranger] = [await issuer.token(), await (await Issuer.create('1')).token()];
  const head =
    'Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n';
  const body = good('gone').padEnd(100_000, ' ');
  const goneAfter = (ms: number, isPost: boolean, bearer: string) =>
    new Promise<void>((done) => {
      const socket = connect(stage.gateway.port, '127.0.0.1');
      socket.on('error', () => {}).on('close', () => done());
      const given = `Authorization: Bearer ${bearer}\r\n`;
      const key = `Sec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`;
      if (!isPost) socket.write(`GET /ws HTTP/1.1\r\n${head}${given}${key}`);
      else
        socket.write(
          `POST /events HTTP/1.1\r\nHost: a\r\n${given}Content-Length: 100000\r\n\r\n${body}`,
        );
      setTimeout(() => socket.resetAndDestroy(), ms);
    });
  for (let ms = 0; ms < 20; ms++) {
    const pairs = [true, false].flatMap((isPost) =>
      [token, stranger].map((t) => [isPost, t] as const),
    );
    await Promise.all(pairs.map(([isPost, bearer]) => goneAfter(ms, isPost, bearer)));
  }
  assert.deepEqual(await client.exchange(good('bystander')), []);
  assert.deepEqual(stage.gateway.workers(), workers, 'no worker died');
  assert.deepEqual(lines('internal error while processing a request'), []);
});

test('an expired JWT ends its connection, and the log names its subject', async () => {
  const [exp, sub] = [inSeconds(3), 'till\n\u001b[31m"7"'];
  const short = await FrameClient.open(
    stage.gateway.wsUrl,
    bearer(await issuer.token({ exp, sub })),
  );
  assert.deepEqual(await short.exchange(good('in time')), []);
  assert.deepEqual(await short.ended(), { code: 1008, reason: 'unauthorized' });
  assert(Date.now() >= exp * 1000, 'not before its expiry');
  const [line] = lines('connection closed, key or token no longer valid');
  assert.equal(line?.identity, 'till\\u000a\\u001b[31m\\u00227\\u0022');
  assert(client.isOpen, 'the other stays');
  // The worker dies below; the primary has the metrics by then.
  await freshMetrics(stage.gateway);
});

test('an added key is accepted without a restart', async () => {
  assert.equal(await statusOf('new'), 401);
  addToFile(keys.path, entry('new'));
  await until(async () => (await statusOf('new')) === 200, { what: 'the new key' });
  assert(lines('key file reloaded').length > 0, 'it is in the log');
});

test('a broken file: the previous keys stay valid, also for new workers', async () => {
  keys.writeText(`{"keys":[{"name":"till","sha256":"${keys.token('till')}"}]}`);
  const told = 'key file reload failed, keeping the previous keys';
  const line = await until(() => lines(told)[0], { what: told });
  assert.equal(line.reason, 'the file keys[0].sha256 must be 64 hexadecimal digits in lower case');
  assert.equal(line.level, 'error');
  assert.equal(await statusOf('new'), 200);
  const [worker] = stage.gateway.workers();
  process.kill(worker!, 'SIGKILL');
  await until(() => stage.gateway.workers().some((pid) => pid !== worker), {
    what: 'a new worker',
  });
  await until(async () => (await statusOf('new')) === 200, { what: 'the key at the new worker' });
  assert.equal(await statusOf('unknown'), 401);
  client = await FrameClient.open(stage.gateway.wsUrl, keys.bearer('bystander'));
});

test('a removed key is rejected and its connections end; others stay', async () => {
  keys.write('bystander', 'till');
  await until(async () => (await statusOf('new')) === 401, { what: 'the end of the new key' });
  const till = await FrameClient.open(stage.gateway.wsUrl, keys.bearer('till'));
  const two = await FrameClient.open(stage.gateway.wsUrl, {}, [
    `forebay.key.${keys.token('till')}`,
  ]);
  assert.deepEqual(await till.exchange(good('till')), []);
  // As in Kubernetes: the path is now a link.
  const behind = join(keys.folder, 'behind.json');
  writeFileSync(behind, JSON.stringify({ keys: [entry('bystander')] }));
  rmSync(keys.path);
  symlinkSync(behind, keys.path);
  for (const ended of [till, two]) {
    assert.deepEqual(await ended.ended(), { code: 1008, reason: 'unauthorized' });
  }
  assert.equal(await statusOf('till'), 401);
  assert.equal(await refusedStatus(keys.token('till')), 401);
  assert.deepEqual(await client.exchange(good('bystander')), []);
  assert(client.isOpen, 'the other stays');
  const metrics = await freshMetrics(stage.gateway);
  const closed = metrics.value('forebay_connections_closed_total', { reason: 'unauthorized' });
  assert.equal(closed, 2 + 1, 'these, and the one of the JWT');
  await assertNoSecrets(stage.gateway, keys.secrets, []);
});

test('a stop during authentication: clients get a response, and the exit code is 0', async () => {
  const stranger = await (await Issuer.create('unknown')).token();
  await until(
    async () => {
      server.state = 'silent';
      void postAs(stranger).catch(() => {});
      return server.waiting > 0;
    },
    { everyMs: 200, what: 'a request for the key set' },
  );
  const waiting = postAs(stranger).then(
    ({ status }) => status,
    () => 'gone',
  );
  const stopped = stage.gateway.stop();
  assert.deepEqual(await stopped, { code: 0, signal: null });
  assert([401, 503, 'gone'].includes(await waiting), String(await waiting));
  assert.deepEqual(stage.gateway.errors, []);
});

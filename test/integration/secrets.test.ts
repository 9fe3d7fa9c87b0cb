/** No secret is in a log line, a response or a metric, at any log level and under faults. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { until } from '../../testing/wait.ts';
import { untilLogged } from '../../testing/watch.ts';
import { FakeCluster } from '../fakes/broker/cluster.ts';

const TOPIC = 'secrets';
/** Secrets by kind; none occurs in any other place. */
const SECRETS = {
  adminToken: 'token-5a1c7d',
  wrongToken: 'token-guessed-88f2',
  password: 'password-93e0b4',
  wrongPassword: 'password-old-71aa',
  content: 'content-d04f6e',
  credentials: 'credentials-62b9c1',
  cookie: 'cookie-1f8e55',
};
const LOGIN = { username: 'forebay', password: SECRETS.password };

let dir: string;
let cluster: FakeCluster;
const gateways: Gateway[] = [];
before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'forebay-secrets-'));
  cluster = await FakeCluster.start({ topics: { [TOPIC]: 3 }, sasl: LOGIN });
});
after(async () => {
  await Promise.all(gateways.map((gateway) => gateway.kill()));
  await cluster?.close();
  await rm(dir, { recursive: true, force: true });
});

async function start(password: string, ready = true): Promise<Gateway> {
  const [tokenFile, passwordFile] = [join(dir, 'token'), join(dir, 'password')];
  await writeFile(tokenFile, SECRETS.adminToken);
  await writeFile(passwordFile, password);
  const env = {
    LOG_LEVEL: 'trace',
    FOREBAY_ADMIN_TOKEN_FILE: tokenFile,
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: LOGIN.username,
    KAFKA_SASL_PASSWORD_FILE: passwordFile,
  };
  const gateway = await startGateway({ brokers: cluster.addresses, topic: TOPIC, env, ready });
  gateways.push(gateway);
  return gateway;
}

function assertNoSecret(texts: readonly string[]): void {
  for (const [name, secret] of Object.entries(SECRETS)) {
    assert.deepEqual(
      texts.filter((text) => text.includes(secret)),
      [],
      name,
    );
  }
}

/** Returns the output of a gateway. */
function written(gateway: Gateway): string[] {
  return [...gateway.log.map((line) => JSON.stringify(line)), ...gateway.errors];
}

/** Returns the first event of the live view's stream. */
async function liveView(gateway: Gateway): Promise<string> {
  const ending = new AbortController();
  const { body } = await fetch(`${gateway.adminUrl}/live`, { signal: ending.signal });
  let text = '';
  for await (const bytes of body!) {
    text += Buffer.from(bytes).toString();
    if (/\ndata: .*\n\n/.test(text)) break;
  }
  ending.abort();
  return text;
}

test('events, commands, a lost broker, a killed worker: no secret is exposed', async () => {
  const gateway = await start(SECRETS.password);
  const answers: string[] = [];
  const ask = async (url: string, options: RequestInit = {}) => {
    const response = await fetch(url, options);
    answers.push(JSON.stringify([...response.headers]), await response.text());
    return response.status;
  };
  const headers = {
    Authorization: `Bearer ${SECRETS.credentials}`,
    Cookie: `session=${SECRETS.cookie}`,
  };
  const events = `${gateway.httpUrl}/events?key=${SECRETS.credentials}`;
  const { content } = SECRETS;
  const good = JSON.stringify({ msg: content, clientId: content, timestamp: 1 });
  assert.equal(await ask(events, { method: 'POST', headers, body: good }), 200);
  for (const bad of [`{"msg":"${content}"}`, content, `{"${content}":`, `["${content}"]`]) {
    assert.equal(await ask(events, { method: 'POST', headers, body: bad }), 400, bad);
  }
  const plain = await new PlainClient({ url: gateway.wsUrl, headers }).open();
  plain.socket.send(`{"msg":"${content}","clientId":7}`);
  plain.socket.send(content);
  await untilLogged(gateway, 'invalid event of a plain client rejected');
  const command = (path: string, token: string) =>
    ask(gateway.adminUrl + path, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
  assert.equal(await command('/workers/restart', SECRETS.wrongToken), 401);
  const [worker] = gateway.workers();
  process.kill(worker!, 'SIGKILL');
  await untilLogged(gateway, 'worker died');
  await until(async () => (await fetch(`${gateway.adminUrl}/readyz`)).ok, { what: 'readiness' });
  assert.equal(await command('/workers/restart', SECRETS.adminToken), 202);
  await untilLogged(gateway, 'rolling restart completed');
  for (const path of ['/', '/metrics', '/readyz', '/livez', '/drain']) {
    await ask(gateway.adminUrl + path);
  }
  answers.push(await liveView(gateway));
  await cluster.close();
  assert.equal(await command('/drain', SECRETS.adminToken), 202);
  await until(() => gateway.exited, { what: 'its end' });
  const lines = written(gateway);
  assert(
    lines.some((line) => line.includes('"level":"debug"')),
    'much was logged',
  );
  assert(answers.length > 10 && answers.at(-1)!.length > 0, 'many responses were received');
  assertNoSecret([...lines, ...answers]);
});

test('credentials rejected by brokers are not exposed', async () => {
  cluster = await FakeCluster.start({ topics: { [TOPIC]: 3 }, sasl: LOGIN });
  const gateway = await start(SECRETS.wrongPassword, false);
  assert.deepEqual(await gateway.exit, { code: 1, signal: null });
  const lines = written(gateway);
  assert(
    lines.some((line) => line.includes('Kafka authentication failed')),
    lines.join('\n'),
  );
  assertNoSecret(lines);
});

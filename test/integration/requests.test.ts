/** Requests and handshakes rejected before any event: statuses, codes and headers. */
import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { test } from 'node:test';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { HandshakeRefused, openSocket } from '../../testing/socket.ts';
import { accountOf } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { upgrade } from '../support/upgrade.ts';
import { useStage } from '../support/use-stage.ts';

const stage = useStage();

interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

function ask(method: string, path: string, headers = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${stage.gateway.httpUrl}${path}`, { method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (data: string) => {
        text += data;
      });
      response.on('end', () => {
        resolve({ status: response.statusCode, headers: response.headers, body: text });
      });
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

/** Asserts the status, and a one-line body with the code. */
function assertError(answer: Answer, status: number, code: string, message = /./): void {
  assert.equal(answer.status, status);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  const { error } = JSON.parse(answer.body) as { error: { code: string; message: string } };
  assert.deepEqual(Object.keys(error), ['code', 'message']);
  assert.equal(error.code, code);
  assert.match(error.message, message);
  assert(error.message.length <= 200);
  assert.match(answer.body, /^[^\n]+\n$/, 'a shell prompt after it starts on a new line');
}

test('404 not_found: an unknown path, for any method', async () => {
  for (const path of ['/nothing', '/events/', '/ws/', '/metrics', '/%00', '/../package.json']) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      assertError(await ask(method, path), 404, 'not_found');
    }
  }
});

test('405 method_not_allowed, with Allow', async () => {
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
    const answer = await ask(method, '/events');
    assertError(answer, 405, 'method_not_allowed');
    assert.equal(answer.headers.allow, 'POST, OPTIONS');
  }
  for (const path of ['/', '/livez', '/readyz', '/page.js', '/ws']) {
    const answer = await ask('POST', path);
    assertError(answer, 405, 'method_not_allowed');
    assert.equal(answer.headers.allow, 'GET, HEAD, OPTIONS');
  }
});

test('415 unsupported_media_type: an unknown content type or encoding', async () => {
  const taken = /: send application\/json, text\/plain, .*, application\/msgpack or no type/;
  const ofCurl = 'application/x-www-form-urlencoded';
  for (const type of ['text/html', 'application/xml', ofCurl, 'constructor', '/']) {
    const answer = await ask('POST', '/events', { 'Content-Type': type }, good('x'));
    assertError(answer, 415, 'unsupported_media_type', taken);
  }
  const packed = { 'Content-Type': 'application/json', 'Content-Encoding': 'compress' };
  assertError(await ask('POST', '/events', packed, good('x')), 415, 'unsupported_media_type');
});

test('GET and HEAD: the page and health, HEAD with the same headers and no body', async () => {
  for (const path of ['/', '/page.js', '/page.css', '/livez', '/readyz', '/nothing', '/ws']) {
    const [get, head] = [await ask('GET', path), await ask('HEAD', path)];
    assert.equal(head.status, get.status);
    assert.equal(head.body, '');
    assert(get.body.length > 0);
    const date = undefined;
    assert.deepEqual({ ...head.headers, date }, { ...get.headers, date });
  }
  for (const path of ['/livez', '/readyz']) {
    const { status, body } = await ask('GET', path);
    assert.equal(status, 200);
    assert.match(body, /^\{.*\}\n$/);
  }
});

test('a connection stays usable after HEAD', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ports = new Set<number | undefined>();
  for (const [index, method] of ['HEAD', 'GET', 'HEAD', 'HEAD', 'GET'].entries()) {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const options = { method, agent };
      const asked = request(`${stage.gateway.httpUrl}/livez`, options, (response) => {
        ports.add(response.socket.localPort);
        response.resume().on('end', () => resolve(response.statusCode));
      });
      asked.on('error', reject).end();
    });
    assert.equal(status, 200, `request ${index}`);
  }
  assert.equal(ports.size, 1);
  agent.destroy();
});

test('HEAD has no body where it is not allowed either', async () => {
  const [get, head] = [await ask('GET', '/events'), await ask('HEAD', '/events')];
  assert.deepEqual([head.status, head.headers.allow, head.body], [405, 'POST, OPTIONS', '']);
  assert.equal(head.headers['content-length'], get.headers['content-length']);
});

test('no response names the server or its version', async () => {
  for (const path of ['/', '/livez', '/nothing']) {
    const { headers } = await ask('GET', path);
    for (const name of ['server', 'x-powered-by', 'uwebsockets']) assert(!(name in headers), name);
  }
});

test('426: a request to /ws without an upgrade', async () => {
  const answer = await ask('GET', '/ws');
  assertError(answer, 426, 'bad_request');
  assert.equal(answer.headers.upgrade, 'websocket');
});

async function refusal(headers: Record<string, string>): Promise<Answer> {
  const response = await upgrade(stage.gateway.httpUrl, headers).then(
    () => assert.fail('the handshake was taken'),
    (refused: IncomingMessage) => refused,
  );
  let body = '';
  for await (const data of response) body += data;
  return { status: response.statusCode, headers: response.headers, body };
}

test('400 bad_request: a WebSocket version other than 13', async () => {
  for (const version of ['12', '8', '14', '']) {
    const answer = await refusal({ 'Sec-WebSocket-Version': version });
    assertError(answer, 400, 'bad_request');
    assert.equal(answer.headers['sec-websocket-version'], '13');
  }
});

test('403 forbidden_origin: pages of other hosts, and invalid origins', async () => {
  const { port } = stage.gateway;
  const foreign = ['http://example.com', `http://127.0.0.1:${port + 1}`, 'null', 'http://', 'x'];
  for (const origin of foreign)
    assertError(await refusal({ Origin: origin }), 403, 'forbidden_origin');
  const opened = openSocket(stage.gateway.wsUrl, [], { origin: 'http://example.com' }, () => {});
  await assert.rejects(
    opened,
    (error) => error instanceof HandshakeRefused && error.status === 403,
  );
});

test('pages of the same host and clients other than browsers may connect', async () => {
  const { port } = stage.gateway;
  for (const headers of [{ Origin: `http://127.0.0.1:${port}` }, {}]) {
    (await upgrade(stage.gateway.httpUrl, headers)).end();
  }
  const named = { Host: 'forebay.example', Origin: 'https://forebay.example' };
  (await upgrade(stage.gateway.httpUrl, named)).end();
});

test('rejected handshakes are counted by reason, and no event is counted', async () => {
  const client = await FrameClient.open(stage.gateway.wsUrl);
  assert.deepEqual(await client.exchange(good('last')), []);
  await client.close();
  const account = await accountOf(stage.gateway);
  assert.deepEqual(account.received, { ws: 1, http: 0 });
  assert.deepEqual([account.stored, account.unaccounted], [1, 0]);
  const metrics = await until(async () => {
    const now = await stage.gateway.metrics();
    return now.value('forebay_connections', { transport: 'ws' }) === 0 ? now : undefined;
  });
  const refused = (reason: string) => metrics.value('forebay_handshakes_refused_total', { reason });
  assert.equal(refused('bad_request'), 4 + 3, 'other versions, and /ws without an upgrade');
  assert.equal(refused('forbidden_origin'), 6);
  assert.equal(metrics.value('forebay_connections_opened_total', { transport: 'ws' }), 4);
  assert.deepEqual(stage.gateway.errors, []);
});

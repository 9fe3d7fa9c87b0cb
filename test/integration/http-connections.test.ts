/** Requests on one HTTP connection: sequences, and requests with ambiguous framing. */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { good } from '../../testing/events.ts';
import { TRANSPORT } from '../../testing/gateway.ts';
import { accountOf, freshMetrics, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { expected } from '../fixtures/transport-differences.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';

const [A, B] = [good('a'), good('b')];

const tally = new Tally();
const stage = useStage();

const open: RawHttp[] = [];
afterEach(() => {
  for (const http of open.splice(0)) http.destroy();
});
function connection(): RawHttp {
  const http = new RawHttp(stage.gateway.port);
  open.push(http);
  return http;
}

const postText = (body: string, head = '') =>
  `POST /events HTTP/1.1\r\nHost: a\r\n${head}Content-Length: ${body.length}\r\n\r\n${body}`;
const getText = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;

/** Waits until exactly these events are stored. */
async function assertStored(...expected: string[]): Promise<void> {
  const values: string[] = [];
  await until(async () => {
    values.push(...(await stage.newValues()));
    return values.length >= expected.length;
  });
  assert.deepEqual(values.sort(), expected.sort());
}

test('requests answered at once may be pipelined: one response each, in order', async () => {
  const http = connection();
  const paths = ['/livez', '/nothing', '/page.js', '/readyz', '/livez', '/events'];
  http.write(paths.map(getText).join(''));
  const statuses: number[] = [];
  for (const _ of paths) statuses.push((await http.answer()).status);
  assert.deepEqual(statuses, [200, 404, 200, 200, 200, 405]);
});

test('a request after a rejected body is answered, and the body is not parsed as a request', async () => {
  const http = connection();
  const inner = postText(B);
  http.write(postText(inner, 'Content-Type: text/html\r\n') + postText(A));
  assert.equal((await http.answer()).status, 415);
  const { status, body } = await http.answer();
  assert.deepEqual([status, body], [200, '{"accepted":1,"errors":[]}\n']);
  await assertStored(A);
  tally.http(1);
});

test('a request that arrives before the previous one is settled: no response is mixed up', async () => {
  const http = connection();
  http.write(postText(A) + postText(B));
  if (TRANSPORT === 'node') {
    for (const _ of [A, B]) assert.equal((await http.answer()).status, 200);
    await assertStored(A, B);
    return tally.http(2);
  }
  await http.ended();
  assert.equal(http.rest, '', 'neither was answered: the client has to resend both');
  // The first one was complete and is stored; the second one was not processed.
  await assertStored(A);
  tally.http(1);
});

test('a connection stays usable after any response', async () => {
  const http = connection();
  for (const [status, text, bare] of [
    [200, postText(A)],
    [400, postText('{')],
    [405, getText('/events')],
    [405, 'HEAD /events HTTP/1.1\r\nHost: a\r\n\r\n', true],
    [204, 'OPTIONS /events HTTP/1.1\r\nHost: a\r\n\r\n', true],
    [204, 'OPTIONS /livez HTTP/1.1\r\nHost: a\r\n\r\n', true],
    [404, postText('x').replace('/events', '/nothing')],
    [405, postText('x').replace('/events', '/livez')],
    [413, postText(' '.repeat(1_048_577))],
    [400, postText('x', 'Content-Encoding: gzip\r\n')],
    [426, getText('/ws')],
    [200, postText(B)],
  ] as const) {
    http.write(text);
    assert.equal((await http.answer(bare)).status, status, text.slice(0, 60));
  }
  await assertStored(A, B);
  tally.http(2);
  tally.http(0, { invalid_json: 1 });
});

test('several Content-Length headers: 400, and nothing after it is a request', async () => {
  for (const [first, second] of [
    [A.length, 5],
    [5, A.length],
    [0, A.length],
    [A.length, A.length],
  ]) {
    for (const line of ['POST /events', 'GET /livez', 'PUT /nothing']) {
      const head = `${line} HTTP/1.1\r\nHost: a\r\nContent-Length: ${first}\r\nContent-Length: ${second}\r\n\r\n`;
      const alone = connection();
      alone.write(head);
      if (first! > 0) alone.write('x'.repeat(first!));
      const { status, headers, body } = await alone.answer();
      assert.equal(status, 400);
      assert.equal(headers.get('connection'), 'close');
      assert.match(body, /"code":"bad_request"/);
      await alone.ended();
      const smuggling = connection();
      smuggling.write(`${head}${A.slice(0, first)}${postText(B)}${getText('/livez')}`);
      await smuggling.ended();
      assert.doesNotMatch(smuggling.rest, /accepted|alive/);
    }
  }
  assert.deepEqual(await stage.newValues(), []);
});

test('Content-Length with Transfer-Encoding: 400, and nothing after it is a request', async () => {
  const http = connection();
  http.write(
    'POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n' +
      `0\r\n\r\n${postText(B)}`,
  );
  assert.equal((await http.answer()).status, 400);
  await http.ended();
  assert.deepEqual(await stage.newValues(), []);
});

test('Expect: 100-continue is answered before the body', async () => {
  const http = connection();
  http.request('POST /events', { Expect: '100-continue', 'Content-Length': String(A.length) });
  assert.equal((await http.answer(true)).status, 100);
  http.write(A);
  assert.equal((await http.answer()).status, 200);
  await assertStored(A);
  tally.http(1);
});

test('HTTP/1.0 and a request without Host end the connection', async () => {
  for (const [status, text] of [
    [expected(505, 200), 'GET /livez HTTP/1.0\r\nHost: a\r\n\r\n'],
    [400, 'GET /livez HTTP/1.1\r\n\r\n'],
  ] as const) {
    const http = connection();
    http.write(text);
    await http.ended();
    assert.match(http.rest, new RegExp(`^HTTP/1.1 ${status} `));
  }
});

test('Connection: close ends the connection after the response', async () => {
  const http = connection();
  http.write(postText(A, 'Connection: close\r\n'));
  assert.equal((await http.answer()).status, 200);
  await http.ended();
  await assertStored(A);
  tally.http(1);
});

test('all events are accounted for', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  const metrics = await freshMetrics(stage.gateway);
  const refused = metrics.value('forebay_requests_refused_total', { reason: 'bad_request' });
  // The parser of Node.js rejects them without the gateway.
  assert.equal(refused, expected(4 * 3 * 2, 0));
  assert.deepEqual(stage.gateway.errors, []);
});

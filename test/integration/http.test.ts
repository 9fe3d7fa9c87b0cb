/** Events by `POST /events`: forms of bodies, responses, rejections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { arrayOf, good, goodOfBytes } from '../../testing/events.ts';
import { accountOf, post, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { RawHttp } from '../support/raw-http.ts';
import { assertRefused, type Expected } from '../support/refusals.ts';
import { useStage } from '../support/use-stage.ts';

const MAX_EVENT_BYTES = 65_536;
const MAX_BODY_BYTES = 1_048_576;

const tally = new Tally();
const stage = useStage();

const JSON_TYPE = 'application/json';
const LINES = 'application/x-ndjson';
const [A, B, C] = [good('a'), good('b'), good('c')];

/** Asserts the response to a body and the stored events. */
async function assertAnswer(
  body: string | Buffer,
  type: string,
  status: number,
  stored: readonly string[],
  ...refused: Expected[]
): Promise<void> {
  const answer = await post(stage, body, type);
  assert.equal(answer.status, status);
  assert.equal(answer.headers.get('content-type'), JSON_TYPE);
  assert.equal(answer.headers.get('retry-after'), null);
  assert.deepEqual(Object.keys(answer.body), ['accepted', 'errors']);
  assert.equal(answer.body.accepted, stored.length);
  assertRefused(answer.body.errors, ...refused);
  assert.deepEqual((await stage.newValues()).sort(), [...stored].sort());
  tally.http(stored.length);
  for (const [code, ...ranges] of refused) {
    const events = ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    tally.http(0, { [code]: ranges.length === 0 ? 1 : events });
  }
}

test('200: one event, an array and lines, by each accepted content type', async () => {
  for (const type of [JSON_TYPE, 'text/plain', 'Application/JSON; charset=utf-8', '']) {
    await assertAnswer(A, type, 200, [A]);
    await assertAnswer(` [${A},\n${B}]`, type, 200, [A, B]);
    await assertAnswer(`${A}\r\n\n${B}\n`, type, 200, [A, B]);
  }
  await assertAnswer(`${A}\n\n${B}\r\n${C}`, LINES, 200, [A, B, C]);
});

test('200 with 0: an empty array', async () => {
  await assertAnswer('[]', JSON_TYPE, 200, []);
});

test('an empty body and a blank one are invalid_json', async () => {
  for (const type of [JSON_TYPE, LINES]) {
    await assertAnswer('', type, 400, [], ['invalid_json']);
    await assertAnswer(' \r\n', type, 400, [], ['invalid_json']);
  }
});

test('invalid_json: the whole array or event, but only its line in NDJSON', async () => {
  await assertAnswer(`[${A},{"msg":}]`, JSON_TYPE, 400, [], ['invalid_json']);
  await assertAnswer('{"msg":', JSON_TYPE, 400, [], ['invalid_json']);
  await assertAnswer(`${A}\n{"msg":\n${B}`, JSON_TYPE, 207, [A, B], ['invalid_json', [1, 1]]);
  await assertAnswer(`oh\n${A}\noh`, LINES, 207, [A], ['invalid_json', [0, 0], [2, 2]]);
  await assertAnswer('oh', LINES, 400, [], ['invalid_json', [0, 0]]);
});

test('a body of NDJSON type is always lines', async () => {
  const refused: Expected[] = [
    ['invalid_json', [0, 0], [2, 2]],
    ['schema', [1, 1]],
    ['not_an_object', [3, 3]],
  ];
  await assertAnswer(`[\n{}\n,\n[${A}]\n${B}`, LINES, 207, [B], ...refused);
});

test('invalid_utf8 rejects its line in NDJSON, otherwise the body', async () => {
  const wrong = Buffer.concat([Buffer.from('{"msg":"'), Buffer.from([0xc3, 0x28, 0x22, 0x7d])]);
  const lines = [Buffer.from(`${A}\n`), wrong, Buffer.from('\n{}\n'), wrong, Buffer.from(`\n${B}`)];
  const among: Expected[] = [
    ['invalid_utf8', [1, 1], [3, 3]],
    ['schema', [2, 2]],
  ];
  await assertAnswer(Buffer.concat(lines), LINES, 207, [A, B], ...among);
  await assertAnswer(wrong, LINES, 400, [], ['invalid_utf8', [0, 0]]);
  await assertAnswer(wrong, JSON_TYPE, 400, [], ['invalid_utf8']);
  await assertAnswer(Buffer.concat(lines), JSON_TYPE, 400, [], ['invalid_utf8']);
});

test('not_an_object and schema: 400 alone, 207 among valid events', async () => {
  await assertAnswer('42', JSON_TYPE, 400, [], ['not_an_object', [0, 0]]);
  await assertAnswer('{}', JSON_TYPE, 400, [], ['schema', [0, 0]]);
  const refused: Expected[] = [
    ['schema', [0, 1]],
    ['not_an_object', [3, 3]],
  ];
  await assertAnswer(`[{},{},${A},null,${B}]`, JSON_TYPE, 207, [A, B], ...refused);
  await assertAnswer(
    '[{},null]',
    JSON_TYPE,
    400,
    [],
    ['schema', [0, 0]],
    ['not_an_object', [1, 1]],
  );
});

test('too_large: each event has the bound of a frame, the body does not', async () => {
  const exact = goodOfBytes('exact', MAX_EVENT_BYTES);
  const over = goodOfBytes('over', MAX_EVENT_BYTES + 1);
  await assertAnswer(exact, JSON_TYPE, 200, [exact]);
  await assertAnswer(over, JSON_TYPE, 400, [], ['too_large', [0, 0]]);
  const events = [A, over, exact, over, B];
  const stored = [A, exact, B];
  const refused: Expected = ['too_large', [1, 1], [3, 3]];
  await assertAnswer(arrayOf(events), JSON_TYPE, 207, stored, refused);
  await assertAnswer(events.join('\n'), LINES, 207, stored, refused);
});

test('too_many_events: 10,000 are accepted and 10,001 rejected', async () => {
  const small = (id: number) => `{"id":"${id}","msg":"","clientId":"","timestamp":0}`;
  const events = Array.from({ length: 10_001 }, (_, index) => small(index));
  await assertAnswer(events.slice(1).join('\n'), LINES, 200, events.slice(1));
  await assertAnswer(events.join('\n'), LINES, 400, [], ['too_many_events']);
  await assertAnswer(arrayOf(events), JSON_TYPE, 400, [], ['too_many_events']);
});

test('a body of exactly the maximum size is accepted', async () => {
  const body = A.padEnd(MAX_BODY_BYTES, ' ');
  await assertAnswer(body, JSON_TYPE, 200, [A]);
});

test('413: a body whose Content-Length exceeds the bound; the client receives it each time', async () => {
  for (const bytes of [MAX_BODY_BYTES + 1, 20 * MAX_BODY_BYTES]) {
    const response = await fetch(`${stage.gateway.httpUrl}/events`, {
      method: 'POST',
      body: A.padEnd(bytes, ' '),
    });
    assert.equal(response.status, 413);
    const { error } = (await response.json()) as { error: { code: string } };
    assert.equal(error.code, 'too_large');
  }
});

/** Opens a connection and sends the start of a chunked body. */
function beginChunked(): RawHttp {
  const http = new RawHttp(stage.gateway.port);
  http.request('POST /events', { 'Transfer-Encoding': 'chunked' });
  return http;
}

const CHUNK = `10000\r\n${' '.repeat(65_536)}\r\n`;

test('413: a chunked body over the bound is answered at its end, then its connection ends', async () => {
  const http = beginChunked();
  http.write(CHUNK.repeat(MAX_BODY_BYTES / 65_536));
  http.write(`${CHUNK}0\r\n\r\n`);
  await http.ended();
  assert.match(http.text, /^HTTP\/1\.1 413 Content Too Large\r\n/);
  assert.match(http.text, /"code":"too_large"/);
});

test('an endless chunked body is read up to twice the bound', async () => {
  const http = beginChunked();
  let bytes = 0;
  while (!http.closed) {
    http.write(CHUNK);
    bytes += CHUNK.length;
    await http.flushed();
  }
  assert(bytes > 2 * MAX_BODY_BYTES, `it ended after ${bytes} bytes`);
});

test('a chunked body within the bound equals one with Content-Length', async () => {
  const body = new ReadableStream({
    start(controller) {
      for (const byte of Buffer.from(`[${A},${good('ä€😀')}]`)) {
        controller.enqueue(new Uint8Array([byte]));
      }
      controller.close();
    },
  });
  const request = { method: 'POST', body, duplex: 'half' } as RequestInit;
  const response = await fetch(`${stage.gateway.httpUrl}/events`, request);
  assert.deepEqual([response.status, await response.json()], [200, { accepted: 2, errors: [] }]);
  assert.deepEqual((await stage.newValues()).sort(), [A, good('ä€😀')]);
  tally.http(2);
});

test('a client that disconnects before the end of its body stores nothing', async () => {
  const http = new RawHttp(stage.gateway.port);
  http.request('POST /events', { 'Content-Length': '999' });
  http.write(`${A}\n`);
  await http.flushed();
  http.destroy();
  await assertAnswer(B, JSON_TYPE, 200, [B]);
});

test('a client disconnects before the response: its events are stored nevertheless', async () => {
  const http = new RawHttp(stage.gateway.port);
  http.request('POST /events', {}, A);
  void http.end();
  const values: string[] = [];
  await until(async () => values.push(...(await stage.newValues())) > 0);
  assert.deepEqual(values, [A]);
  tally.http(1);
});

test('many requests on one connection, each with its own response', async () => {
  const http = new RawHttp(stage.gateway.port);
  const events = Array.from({ length: 20 }, (_, index) => good(`k${index}`));
  for (const event of events) {
    http.request('POST /events', {}, event);
    assert.deepEqual(JSON.parse((await http.answer()).body), { accepted: 1, errors: [] });
  }
  assert(!http.closed, 'one connection carried all requests');
  http.destroy();
  assert.deepEqual((await stage.newValues()).sort(), events.sort());
  tally.http(events.length);
});

test('all events are accounted for', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
  assert.deepEqual(stage.gateway.errors, []);
});

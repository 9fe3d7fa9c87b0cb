/** Requests that are slow to arrive: each has its time in all, whatever it dribbles. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LIMITS } from '../../src/limits.ts';
import { good } from '../support/events.ts';
import { RawHttp } from '../support/raw-http.ts';
import { accountOf, freshMetrics, openStage, post, type Stage } from '../support/stage.ts';
import { until } from '../support/wait.ts';

const EVERY_MS = 400;
/** uWebSockets.js looks every 4 s. */
const UWS_MS_MIN = 7_000;

let stage: Stage;
before(async () => {
  stage = await openStage();
});
after(async () => {
  await stage?.gateway.stop();
});

interface Ended {
  readonly afterMs: number;
  readonly text: string;
}

/** Writes `start` and then `drip` again and again, until the server has closed. */
async function dribble(start: string, drip: string): Promise<Ended> {
  const http = new RawHttp(stage.gateway.port);
  http.write(start);
  const startMs = performance.now();
  const timer = setInterval(() => http.write(drip), EVERY_MS);
  await http.ended(60_000);
  clearInterval(timer);
  return { afterMs: performance.now() - startMs, text: http.rest };
}

const head = (bytes: number, headers = '') =>
  `POST /events HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${bytes}\r\n\r\n`;
const livez = 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n';

test('what dribbles is cut after 10 s in all, a body with 408; who is quick is served meanwhile', async () => {
  const bodies: Promise<Ended>[] = [
    dribble(head(100_000), ''),
    dribble(head(100_000), ' '),
    dribble(head(1_000_000, 'Content-Encoding: gzip\r\n'), ' '),
    // Faster than uWebSockets.js asks for: it would take a minute.
    dribble(head(1_000_000), ' '.repeat(20_000 * (EVERY_MS / 1_000))),
    dribble('POST /events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n', '1\r\n \r\n'),
  ];
  const heads: Promise<Ended>[] = [
    dribble('', ''),
    dribble('POST /events HTTP/1.1\r\nX: ', 'x'),
    dribble(`${livez}POST /events HTTP/1.1\r\nX: `, 'x'),
  ];
  let isOver = false;
  const all = Promise.all([Promise.all(bodies), Promise.all(heads)]).finally(() => {
    isOver = true;
  });
  let served = 0;
  await until(
    async () => {
      assert.equal((await post(stage, good(`quick ${served}`))).status, 200);
      served++;
      return isOver;
    },
    { deadlineMs: 60_000, everyMs: 50 },
  );
  const [cutBodies, cutHeads] = await all;
  for (const [index, { afterMs, text }] of cutBodies.entries()) {
    assert.match(text, /^HTTP\/1\.1 408 Request Timeout\r\n/, `body ${index}`);
    assert.match(text, /\r\nConnection: close\r\n.*"code":"request_timeout"/s);
    assert(afterMs >= LIMITS.bodyMs - LIMITS.bodyLookMs, `body ${index} after ${afterMs} ms`);
  }
  for (const [index, { afterMs, text }] of cutHeads.entries()) {
    assert.doesNotMatch(text, /408/, 'uWebSockets.js says nothing');
    assert(afterMs >= UWS_MS_MIN, `head ${index} after ${afterMs} ms`);
  }
  assert.equal((await stage.newValues()).length, served);
  const account = await accountOf(stage.gateway);
  assert.deepEqual(
    [account.stored, account.received.http, account.unaccounted],
    [served, served, 0],
  );
  const metrics = await freshMetrics(stage.gateway);
  const late = metrics.value('forebay_requests_refused_total', { reason: 'request_timeout' });
  assert.equal(late, bodies.length);
  assert.deepEqual(stage.gateway.errors, []);
});

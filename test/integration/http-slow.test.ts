/** Slow requests: heads have a total time limit, bodies a minimum rate. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { LIMITS } from '../../src/config/limits.ts';
import { good } from '../../testing/events.ts';
import { accountOf, freshMetrics, post } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';

const EVERY_MS = 400;
/** uWebSockets.js checks every 4 s. */
const UWS_MS_MIN = 7_000;

const stage = useStage();

interface Ended {
  readonly afterMs: number;
  readonly text: string;
}

/** Writes `start` and then `drip` repeatedly, until the server has closed. */
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

test('a trickling head is closed after 10 s, a body with 408; fast requests are served meanwhile', async () => {
  const bodies: Promise<Ended>[] = [
    dribble(head(100_000), ''),
    dribble(head(100_000), ' '),
    dribble(head(1_000_000, 'Content-Encoding: gzip\r\n'), ' '),
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
    assert(afterMs >= LIMITS.bodyGraceMs - LIMITS.bodyCheckMs, `body ${index} after ${afterMs} ms`);
  }
  for (const [index, { afterMs, text }] of cutHeads.entries()) {
    assert.doesNotMatch(text, /408/, 'uWebSockets.js sends no response');
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

interface Slow {
  readonly bytes: number;
  readonly perSecond: number;
  readonly headers?: string;
  readonly isChunked?: boolean;
  /** Pause after the first half, which is sent at once. */
  readonly stallMs?: number;
}

const slowBodies: Readonly<Record<string, Slow>> = {
  'of 256 kB at 16 kB/s': { bytes: 256_000, perSecond: 16_000 },
  'of 64 kB at 4 kB/s': { bytes: 64_000, perSecond: 4_000 },
  'of 64 kB at 4 kB/s in chunks': { bytes: 64_000, perSecond: 4_000, isChunked: true },
  'of 30 kB at 2 kB/s, by gzip': {
    bytes: 40_000,
    perSecond: 2_000,
    headers: 'Content-Encoding: gzip\r\n',
  },
  'of 900 kB, half at once and the rest after a stall': {
    bytes: 900_000,
    perSecond: 64_000,
    stallMs: 8_000,
  },
};

/** Returns events with these ids, in `bytes` incompressible bytes. */
function bodyOf(ids: readonly string[], bytes: number): string {
  const each = Math.floor(bytes / ids.length);
  const events = ids.map((id) => {
    const { length } = good(id, { filling: '' });
    return good(id, {
      filling: randomBytes(each)
        .toString('base64')
        .slice(0, each - length - 1),
    });
  });
  return `[${events.join()}]`;
}

/** Returns the text of the response and the time that the body took. */
async function sendSlowly(text: string, slow: Slow): Promise<Ended> {
  const { perSecond, headers = '', isChunked = false, stallMs = 0 } = slow;
  const body = headers === '' ? Buffer.from(text) : gzipSync(text);
  const http = new RawHttp(stage.gateway.port);
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
  http.write(`POST /events HTTP/1.1\r\nHost: a\r\n${headers}${framing}\r\n\r\n`);
  const write = (part: Buffer) =>
    http.write(isChunked ? `${part.length.toString(16)}\r\n${part}\r\n` : part);
  const startMs = performance.now();
  let at = 0;
  if (stallMs > 0) {
    at = body.length / 2;
    write(body.subarray(0, at));
    await pause(stallMs);
  }
  for (const step = (perSecond * EVERY_MS) / 1_000; at < body.length && !http.closed; at += step) {
    write(body.subarray(at, at + step));
    await pause(EVERY_MS);
  }
  if (isChunked) http.write('0\r\n\r\n');
  const { status, body: answer } = await http.answer();
  http.destroy();
  return { afterMs: performance.now() - startMs, text: `${status} ${answer}` };
}

test('slow but steady bodies are stored', async () => {
  await stage.newValues();
  const sent = Object.entries(slowBodies).map(async ([what, slow], index) => {
    const ids = Array.from({ length: 50 }, (_, at) => `slow-${index}-${at}`);
    const { afterMs, text } = await sendSlowly(bodyOf(ids, slow.bytes), slow);
    assert.match(text, /^200 {"accepted":50,/, what);
    assert(afterMs > LIMITS.bodyGraceMs + LIMITS.bodyCheckMs, `${what}: ${afterMs} ms`);
    return ids;
  });
  const ids = (await Promise.all(sent)).flat();
  const stored = (await stage.newValues()).map((value) => (JSON.parse(value) as { id: string }).id);
  assert.deepEqual(stored.sort(), ids.sort());
});

/** Clients that cost memory which the buffer of events does not see. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { KIB, MIB } from '../../src/limits.ts';
import { CrowdProcess, HANDSHAKE } from '../support/crowd-process.ts';
import { good } from '../support/events.ts';
import { FrameClient } from '../support/frame-client.ts';
import type { Gateway } from '../support/gateway.ts';
import { GoodClient } from '../support/good-client.ts';
import { HandshakeRefused } from '../support/socket.ts';
import { freshMetrics, openStage, post, type Stage } from '../support/stage.ts';
import { until } from '../support/wait.ts';

async function residentBytes(gateway: Gateway): Promise<number> {
  return (await freshMetrics(gateway)).value('forebay_worker_resident_bytes');
}

let stage: Stage;
/** What a worker takes that has just begun to work. */
let calmBytes = 0;
before(async () => {
  stage = await openStage();
  const client = await GoodClient.start(stage.gateway.wsUrl);
  await client.serve(100);
  await client.stop();
  calmBytes = await residentBytes(stage.gateway);
});

const UNREAD = 8;
/** Refused event by event, so that the answer is longer than the frame. */
const NACKED_FRAME = `[${new Array(500).fill('{},1').join()}]`;
const FRAMES_AT_ONCE = 16;
/** A heap that has something to do grows. Unread answers without a bound would come to more. */
const GROWTH_BYTES_MAX = 64 * MIB;

test('clients that never read: each ends, memory stays, others are served', async (t) => {
  const { gateway } = stage;
  t.after(() => gateway.stop());
  const beside = await GoodClient.start(gateway.wsUrl);
  const opened = Array.from({ length: UNREAD }, () => FrameClient.open(gateway.wsUrl));
  const clients = await Promise.all(opened);
  for (const client of clients) client.socket.pause();
  // Nacks that are not read delay the rise of credit: a client that goes on all the same may be
  // beyond it before its nacks fill what the kernels of both ends keep.
  const reasons = ['slow_consumer', 'credit_exceeded'];
  let mostBytes = 0;
  let ended = 0;
  let frames = 0;
  const what = () => `the end of ${UNREAD} clients, ${ended} have ended`;
  await until(
    async () => {
      for (const client of clients) {
        for (let frame = 0; frame < FRAMES_AT_ONCE; frame++) client.send(NACKED_FRAME);
      }
      frames += FRAMES_AT_ONCE;
      await beside.serve(1);
      const metrics = await gateway.metrics();
      mostBytes = Math.max(mostBytes, metrics.value('forebay_worker_resident_bytes'));
      const closed = (reason: string) =>
        metrics.value('forebay_connections_closed_total', { reason });
      ended = reasons.reduce((sum, reason) => sum + closed(reason), 0);
      return ended === UNREAD;
    },
    { deadlineMs: 60_000, what },
  );
  const grownMib = Math.round((mostBytes - calmBytes) / MIB);
  t.diagnostic(`${UNREAD} clients, up to ${frames} frames each: ${grownMib} MiB more at most`);
  t.diagnostic((await beside.stop()).story);
  assert(mostBytes - calmBytes <= GROWTH_BYTES_MAX, `${grownMib} MiB more`);
  for (const client of clients) client.socket.terminate();
});

const PARTIAL_BYTES = 120 * KIB;
const PARTIAL_FRAMES = 800;
const ROOM_BYTES = 48 * MIB;

/** All of a frame but its end. */
function partialFrame(): string {
  const head = [0x81, 0xff, 0, 0, 0, 0, 0, PARTIAL_BYTES >> 16, (PARTIAL_BYTES >> 8) & 0xff, 0];
  return String.fromCharCode(...head, 0, 0, 0, 0) + 'x'.repeat(PARTIAL_BYTES - 1);
}

test('above the memory mark: no new connections and bodies, 503; what is open goes on; then it is over', async (t) => {
  const env = { FOREBAY_MAX_RSS_BYTES: String(calmBytes + ROOM_BYTES) };
  const marked = await openStage({ env });
  const { gateway } = marked;
  t.after(() => gateway.kill());
  const beside = await GoodClient.start(gateway.wsUrl);
  const said = (start: string) => gateway.log.filter(({ msg }) => msg?.startsWith(start)).length;
  assert.equal((await post(marked, good('before'))).status, 200);
  assert.equal(said('memory is short'), 0, 'there was enough');

  const crowd = new CrowdProcess();
  t.after(() => crowd.end());
  // Those behind the mark are refused: it waits for them in vain.
  const partial = { count: PARTIAL_FRAMES, text: HANDSHAKE, reply: partialFrame() };
  void crowd.open({ port: gateway.port, ...partial }).catch(() => {});
  await until(() => said('memory is short') === 1, { what: 'the mark' });
  await assert.rejects(FrameClient.open(gateway.wsUrl), (error) => {
    assert(error instanceof HandshakeRefused, String(error));
    assert.equal(error.status, 503);
    return error.body.includes('"too_many_connections"');
  });
  const refused = await post(marked, good('refused'));
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
  assert.match(JSON.stringify(refused.body), /"buffer_full"/);
  assert.equal((await fetch(`${gateway.httpUrl}/readyz`)).status, 200);
  await beside.serve(20);
  const metrics = await freshMetrics(gateway);
  assert.equal(metrics.value('forebay_requests_refused_total', { reason: 'buffer_full' }), 1);
  const handshakes = { reason: 'too_many_connections' };
  assert(metrics.value('forebay_handshakes_refused_total', handshakes) >= 1, 'counted');

  crowd.end();
  await until(() => said('memory is there again') === 1, { what: 'the end of it' });
  await (await FrameClient.open(gateway.wsUrl)).close();
  assert.equal((await post(marked, good('after'))).status, 200);
  t.diagnostic((await beside.stop()).story);
  assert.equal((await gateway.stop()).code, 0);
});

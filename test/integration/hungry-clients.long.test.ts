/** Clients that use memory outside of the event buffer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB } from '../../src/config/limits.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { HandshakeRefused } from '../../testing/socket.ts';
import { freshMetrics, post, Stage } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { useStage } from '../support/use-stage.ts';

async function residentBytes(gateway: Gateway): Promise<number> {
  return (await freshMetrics(gateway)).value('forebay_worker_resident_bytes');
}

const stage = useStage();
/** Resident memory of a worker that has just warmed up. */
let calmBytes = 0;
stage.atStart(async () => {
  const client = await GoodClient.start(stage.gateway.wsUrl);
  await client.serve(100);
  await client.stop();
  calmBytes = await residentBytes(stage.gateway);
});

const UNREAD = 8;
/** Rejected event by event, so that the reply is longer than the frame. */
const NACKED_FRAME = `[${new Array(500).fill('{},1').join()}]`;
const FRAMES_AT_ONCE = 16;
/** Growth of a busy heap. Unbounded unread replies would exceed it. */
const GROWTH_BYTES_MAX = 64 * MIB;

test('clients that never read: each is closed, memory is bounded, others are served', async (t) => {
  const { gateway } = stage;
  const bystander = await GoodClient.start(gateway.wsUrl);
  const opened = Array.from({ length: UNREAD }, () => FrameClient.open(gateway.wsUrl));
  const clients = await Promise.all(opened);
  for (const client of clients) client.socket.pause();
  // Unread nacks delay credit: a client that keeps sending may exceed it before its nacks fill the
  // socket buffers of both ends.
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
      await bystander.serve(1);
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
  t.diagnostic((await bystander.stop()).summary);
  assert(mostBytes - calmBytes <= GROWTH_BYTES_MAX, `${grownMib} MiB more`);
  for (const client of clients) client.socket.terminate();
});

test('above the memory limit with nothing to evict: new connections are rejected and /readyz reports it', async (t) => {
  // Less than an idle worker uses.
  const env = { FOREBAY_MAX_RSS_BYTES: String(64 * MIB) };
  const { brokers, topic } = stage;
  const gateway = await startGateway({ brokers, topic, env, ready: false });
  t.after(() => gateway.kill());
  const said = (start: string) => gateway.log.filter(({ msg }) => msg?.startsWith(start)).length;
  await until(() => said('memory above limit') === 1, { what: 'the memory limit' });
  await assert.rejects(FrameClient.open(gateway.wsUrl), (error) => {
    assert(error instanceof HandshakeRefused, String(error));
    assert.equal(error.status, 503);
    return error.body.includes('"too_many_connections"');
  });
  const marked = Stage.of(gateway, brokers, topic);
  const refused = await post(marked, good('refused'));
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1']);
  assert.match(JSON.stringify(refused.body), /"buffer_full"/);
  const metrics = await freshMetrics(gateway);
  assert.equal(metrics.value('forebay_memory_short'), 1);
  assert.equal(metrics.value('forebay_requests_refused_total', { reason: 'buffer_full' }), 1);
  const handshakes = { reason: 'too_many_connections' };
  assert.equal(metrics.value('forebay_handshakes_refused_total', handshakes), 1);
  const reasons = async () => (await fetch(`${gateway.httpUrl}/readyz`)).text();
  await until(async () => /half of the workers exceed the memory limit/.test(await reasons()));
  assert.equal((await fetch(`${gateway.httpUrl}/readyz`)).status, 503);
  assert.equal((await gateway.stop()).code, 0);
});

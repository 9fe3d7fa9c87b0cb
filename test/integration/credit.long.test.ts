/** Credit while the buffer fills and drains, and senders that flood. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { LIMITS, MIB } from '../../src/config/limits.ts';
import { good, goodOfBytes } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import { ponged } from '../../testing/socket.ts';
import { freshMetrics, metricsAtRest } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { useStage } from '../support/use-stage.ts';

const FRAME_BYTES = 65_536;

let cluster: KafkaCluster;

const stage = useStage(async () => {
  // A paused node stays the leader: stalled, not dead.
  cluster = await startCluster({ overrides: { 'broker.session.timeout.ms': '9000' } });
  const env = { FOREBAY_BUFFER_BYTES: String(4 * MIB), FOREBAY_WORKERS: '1' };
  stage.atEnd(() => cluster.resume(0));
  return { brokers: cluster.brokers, env };
});
after(() => cluster?.close());

/** Sends frames of maximum size while the credit allows it. @returns all bytes sent */
async function useUp(client: FrameClient, sent = 0): Promise<number> {
  let bytes = sent;
  for (;;) {
    // A ping is answered after everything before it: all granted credit has arrived.
    await ponged(client.socket);
    if (bytes + FRAME_BYTES > client.incoming.credit.bytes) return bytes;
    client.send(goodOfBytes(`c${bytes}`, FRAME_BYTES));
    bytes += FRAME_BYTES;
  }
}

async function readyAnswer(): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${stage.gateway.httpUrl}/readyz`);
  return { status: answer.status, text: await answer.text() };
}

test('a buffer above high water: credit stops, a new connection has one frame, bodies wait; then all resume', async () => {
  cluster.pause(0);
  const clients: FrameClient[] = [];
  const used: number[] = [];
  // Metrics arrive once a second: by then more was sent than fits, and some of it was rejected.
  await until(async () => {
    clients.push(await FrameClient.open(stage.gateway.wsUrl));
    used.push(await useUp(clients.at(-1)!));
    return (await readyAnswer()).status === 503;
  });
  assert.match((await readyAnswer()).text, /buffer/);
  const late = await FrameClient.open(stage.gateway.wsUrl);
  assert.deepEqual(late.incoming.credit, { frames: LIMITS.creditFrames, bytes: FRAME_BYTES });

  const socket = connect(stage.gateway.port, '127.0.0.1');
  await once(socket, 'connect');
  const body = good('body');
  const head = `POST /events HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n`;
  const startMs = performance.now();
  socket.write(head + body.slice(0, 10));
  // The gateway has read the first part: it has served other connections since.
  await ponged(late.socket);
  socket.write(body.slice(10));
  const receivedHttp = async () =>
    (await stage.gateway.metrics()).value('forebay_events_received_total', { transport: 'http' });
  await until(async () => (await receivedHttp()) === 1, { everyMs: 20 });
  const waitedMs = performance.now() - startMs;
  assert(waitedMs >= LIMITS.bodyPauseMs, `the body was read after ${waitedMs} ms`);

  const metrics = await freshMetrics(stage.gateway);
  assert(metrics.value('forebay_buffer_bytes') <= metrics.value('forebay_buffer_limit_bytes'));
  const granted = clients.map((client) => client.incoming.credit.bytes);
  cluster.resume(0);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  // The buffer may have been full by then; this rejection counts below.
  assert.match(String(answer), /"accepted":1|"code":"buffer_full"/);
  socket.destroy();
  for (const [index, client] of clients.entries()) {
    await until(() => client.incoming.credit.bytes > granted[index]!, { what: 'more credit' });
    assert.deepEqual(await client.exchange(goodOfBytes(`again${index}`, FRAME_BYTES)), []);
  }
  // Fewer connections share the buffer: the remaining one has a full window.
  for (const client of clients) {
    assert.deepEqual(client.violations, []);
    await client.close();
  }
  assert.deepEqual(await late.exchange(good('late')), []);
  await until(() => late.incoming.credit.bytes > 2 * FRAME_BYTES, { what: 'a full window' });
  await until(async () => (await readyAnswer()).status === 200);
  const rest = await metricsAtRest(stage.gateway);
  const frames = used.reduce((sum, bytes) => sum + bytes / FRAME_BYTES, 0) + clients.length;
  const refused = rest.value('forebay_events_refused_total', { reason: 'buffer_full' });
  assert.equal(rest.value('forebay_events_stored_total') + refused, frames + 2);
  assert.equal(rest.value('forebay_events_refused_total'), refused);
  assert.equal(rest.value('forebay_events_unaccounted'), 0);
  assert.deepEqual(late.violations, []);
  await late.close();
});

test('flooding: a connection that starves others ends with 1013, the others are served', async () => {
  const neighbour = await FrameClient.open(stage.gateway.wsUrl);
  const closed = async () =>
    (await stage.gateway.metrics()).value('forebay_connections_closed_total', {
      reason: 'flooding',
    });
  // Small and large frames, as many as needed: they arrive faster than they are decoded.
  for (const frame of ['x', `[${'[],'.repeat(FRAME_BYTES / 3 - 1)}1]`]) {
    const before = await closed();
    const plain = await new PlainClient({ url: stage.gateway.wsUrl }).open();
    const flood = Buffer.concat(new Array(64).fill(maskedFrame(frame)));
    const { _socket: socket } = plain.socket as unknown as { _socket: import('node:net').Socket };
    const pour = () => {
      while (plain.socket.readyState === plain.socket.OPEN) if (!socket.write(flood)) return;
    };
    socket.on('drain', pour).on('error', () => {});
    pour();
    const end = await plain.closed;
    socket.destroy();
    // A client that keeps sending may lose the close frame to the reset that follows.
    assert(end.code === 1013 ? end.reason === 'flooding' : end.code === 1006, `${end.code}`);
    await until(async () => (await closed()) === before + 1, { what: 'a flooding connection' });
    assert.deepEqual(await neighbour.exchange(good('neighbour')), []);
  }
  await neighbour.close();
  assert.equal((await metricsAtRest(stage.gateway)).value('forebay_events_unaccounted'), 0);
  assert.deepEqual(stage.gateway.errors, []);
});

/** Returns a text frame of a client, with a mask of zeros. */
function maskedFrame(text: string): Buffer {
  const body = Buffer.from(text);
  const head =
    body.length < 126
      ? Buffer.from([0x81, 0x80 | body.length])
      : Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0, body.length >> 16, body.length >> 8, body.length]);
  return Buffer.concat([head, Buffer.alloc(4), body]);
}

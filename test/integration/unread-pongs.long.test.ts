/** Clients that send pings: those that do not read the pongs are closed. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { KIB, MIB } from '../../src/config/limits.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { TRANSPORT } from '../../testing/gateway.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { OPCODE, wsFrame } from '../../testing/ws-frame.ts';
import { upgrade } from '../support/upgrade.ts';
import { useStage } from '../support/use-stage.ts';

/** More than the socket buffers of both ends hold. */
const ENOUGH_BYTES = 24 * MIB;
const GROWTH_BYTES_MAX = 32 * MIB;
const PROTOCOLS = ['forebay.v1', ''] as const;
/** Packets of pings between two checks: no flood within one turn of the event loop. */
const PACKETS_AT_ONCE = 4;
const PACKET_BYTES = 64 * KIB;
/** Returns the pings of a packet. */
function packetOf(payload: string): Buffer {
  const ping = wsFrame(OPCODE.ping, payload);
  const count = Math.min(2_000, Math.floor(PACKET_BYTES / ping.length));
  return Buffer.concat(new Array(count).fill(ping));
}

const stage = useStage({ env: { KAFKA_LINGER_MS: '1' } });

const closed = async (reason: string) =>
  (await freshMetrics(stage.gateway)).value('forebay_connections_closed_total', { reason });
/**
 * Connections closed for their pings: unread pongs, or pings that take a turn of the event loop far
 * beyond its time. A slow machine comes to the latter first, and so does `node`: see `pings` in
 * test/fixtures/transport-differences.ts.
 */
const closedForPings = async () => (await closed('slow_consumer')) + (await closed('flooding'));
const resident = async () =>
  (await freshMetrics(stage.gateway)).value('forebay_worker_resident_bytes');

/** A connection that sends pings and does not read. */
async function deafClient(protocol: string, t: TestContext) {
  const headers: Record<string, string> =
    protocol === '' ? {} : { 'Sec-WebSocket-Protocol': protocol };
  const { socket } = await upgrade(stage.gateway.httpUrl, headers);
  socket.on('error', () => {});
  socket.pause();
  t.after(() => socket.destroy());
  return {
    get ended() {
      return socket.destroyed;
    },
    /** Waits until the kernel accepts these bytes, or the connection is reset. */
    async send(bytes: Buffer): Promise<void> {
      if (socket.destroyed) return;
      await new Promise<void>((resolve) => {
        socket.write(bytes, () => resolve());
      });
    },
  };
}

for (const [payload, protocols] of [
  ['', ['forebay.v1']],
  ['x'.repeat(125), PROTOCOLS],
] as const) {
  const size = `pings of ${payload.length} bytes`;

  test(`${size}, pongs never read: closed, memory is bounded, others are served`, async (t) => {
    const bystander = await GoodClient.start(stage.gateway.wsUrl);
    await bystander.serve(20);
    const calmBytes = await resident();
    const before = await closedForPings();
    const clients = await Promise.all(protocols.map((protocol) => deafClient(protocol, t)));
    const packet = packetOf(payload);
    let sent = 0;
    let mostBytes = 0;
    const all = async () => (await closedForPings()) - before === clients.length;
    for (let over = false; !over && sent < ENOUGH_BYTES; ) {
      for (let turn = 1; turn <= 100 * PACKETS_AT_ONCE; turn++) {
        if (turn % PACKETS_AT_ONCE === 0) await beat();
        await Promise.all(clients.map((client) => client.send(packet)));
        sent += packet.length;
      }
      await bystander.serve(1);
      mostBytes = Math.max(mostBytes, await resident());
      over = await all();
    }
    t.diagnostic(`${(sent / MIB).toFixed(1)} MiB of pings by each client`);
    await until(all, { what: 'the end of all' });
    assert(mostBytes - calmBytes < GROWTH_BYTES_MAX, `${(mostBytes - calmBytes) / MIB} MiB more`);
    t.diagnostic((await bystander.stop()).summary);
  });
}

test('a client with many unread bytes is closed without a further ping', async (t) => {
  const before = await closedForPings();
  const client = await deafClient('', t);
  const packet = packetOf('x'.repeat(125));
  for (let sent = 0; sent < 8 * MIB && !client.ended; sent += packet.length) {
    await client.send(packet);
    await beat();
  }
  const over = async () => (await closedForPings()) - before === 1;
  await until(over, { what: 'the end of it' });
});

/** Waits until the gateway has processed the sent pings. */
async function beat(): Promise<void> {
  await fetch(`${stage.gateway.httpUrl}/livez`).then((response) => response.text());
}

test('a client that reads is served, and gets each pong of any number of pings', async (t) => {
  const before = await closedForPings();
  for (const protocol of PROTOCOLS) {
    for (const payload of ['', 'x'.repeat(125)]) {
      let received = 0;
      const headers: Record<string, string> =
        protocol === '' ? {} : { 'Sec-WebSocket-Protocol': protocol };
      const data = (chunk: Buffer) => {
        received += chunk.length;
      };
      const { socket } = await upgrade(stage.gateway.httpUrl, headers, { data });
      t.after(() => socket.destroy());
      // One write: more pongs than the network accepts in one turn of the event loop.
      const packet = Buffer.concat(new Array(5_000).fill(wsFrame(OPCODE.ping, payload)));
      const pongs = 5_000 * (payload.length + 2);
      for (let round = 1; round <= 5; round++) {
        socket.write(packet);
        await until(() => received >= round * pongs, {
          what: () => `pongs, ${received} bytes came`,
        });
      }
      assert.equal(socket.destroyed, false);
    }
  }
  assert.equal(await closedForPings(), before);
});

test('a client that reads is not closed for acks between many pongs', async () => {
  const before = await closed('slow_consumer');
  const client = await FrameClient.open(stage.gateway.wsUrl);
  for (let round = 0; round < 20; round++) {
    for (let ping = 0; ping < 1_000; ping++) client.socket.ping('x'.repeat(125));
    client.send(good(`among pings ${round}`));
  }
  await until(() => client.incoming.acknowledged === 20, { what: 'the last ack' });
  assert(client.isOpen);
  await client.close();
  assert.equal(await closed('slow_consumer'), before);
});

test('some were closed for unread pongs, and the gateway has no errors at the end', async () => {
  if (TRANSPORT !== 'node') assert((await closed('slow_consumer')) > 0);
  assert.deepEqual(stage.gateway.errors, []);
});

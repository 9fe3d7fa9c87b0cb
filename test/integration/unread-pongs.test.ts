/** Clients that send pings: those that never read the pongs are closed, those that read are not. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { KIB, MIB } from '../../src/config/limits.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { OPCODE, wsFrame } from '../../testing/ws-frame.ts';
import { upgrade } from '../support/upgrade.ts';
import { useStage } from '../support/use-stage.ts';

/** More than the kernel's buffers of both ends take in all. */
const ENOUGH_BYTES = 24 * MIB;
const GROWTH_BYTES_MAX = 32 * MIB;
const PROTOCOLS = ['forebay.v1', ''] as const;
/** Packets of pings between two looks at the gateway: no flood of one turn of the event loop. */
const PACKETS_AT_ONCE = 4;
const PACKET_BYTES = 64 * KIB;
/** Pings that make a packet. */
function packetOf(payload: string): Buffer {
  const ping = wsFrame(OPCODE.ping, payload);
  const count = Math.min(2_000, Math.floor(PACKET_BYTES / ping.length));
  return Buffer.concat(new Array(count).fill(ping));
}

const stage = useStage({ env: { KAFKA_LINGER_MS: '1' } });

const closed = async (reason: string) =>
  (await freshMetrics(stage.gateway)).value('forebay_connections_closed_total', { reason });
const resident = async () =>
  (await freshMetrics(stage.gateway)).value('forebay_worker_resident_bytes');

/** A connection whose other end does not read, and pings that it sends. */
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
    /** Waits until the kernel has taken these bytes, or the connection is reset. */
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

  test(`${size}, never read the pongs: slow_consumer, memory stays, others are served`, async (t) => {
    const beside = await GoodClient.start(stage.gateway.wsUrl);
    await beside.serve(20);
    const calmBytes = await resident();
    const before = await closed('slow_consumer');
    const clients = await Promise.all(protocols.map((protocol) => deafClient(protocol, t)));
    const packet = packetOf(payload);
    let sent = 0;
    let mostBytes = 0;
    const all = async () => (await closed('slow_consumer')) - before === clients.length;
    for (let over = false; !over && sent < ENOUGH_BYTES; ) {
      for (let turn = 1; turn <= 100 * PACKETS_AT_ONCE; turn++) {
        if (turn % PACKETS_AT_ONCE === 0) await beat();
        await Promise.all(clients.map((client) => client.send(packet)));
        sent += packet.length;
      }
      await beside.serve(1);
      mostBytes = Math.max(mostBytes, await resident());
      over = await all();
    }
    t.diagnostic(`${(sent / MIB).toFixed(1)} MiB of pings by each client`);
    await until(all, { what: 'the end of all' });
    assert(mostBytes - calmBytes < GROWTH_BYTES_MAX, `${(mostBytes - calmBytes) / MIB} MiB more`);
    t.diagnostic((await beside.stop()).summary);
  });
}

test('a client with much unread is closed without a further ping', async (t) => {
  const before = await closed('slow_consumer');
  const client = await deafClient('', t);
  const packet = packetOf('x'.repeat(125));
  for (let sent = 0; sent < 8 * MIB && !client.ended; sent += packet.length) {
    await client.send(packet);
    await beat();
  }
  assert.equal(await closed('flooding'), 0);
  const over = async () => (await closed('slow_consumer')) - before === 1;
  await until(over, { what: 'the end of it' });
});

/** Lets the gateway take what was sent before more comes. */
async function beat(): Promise<void> {
  await fetch(`${stage.gateway.httpUrl}/livez`).then((response) => response.text());
}

test('a client that reads is served, however many pings it sends, and gets each pong', async (t) => {
  const before = await closed('slow_consumer');
  for (const protocol of PROTOCOLS) {
    for (const payload of ['', 'x'.repeat(125)]) {
      let heard = 0;
      const headers: Record<string, string> =
        protocol === '' ? {} : { 'Sec-WebSocket-Protocol': protocol };
      const data = (chunk: Buffer) => {
        heard += chunk.length;
      };
      const { socket } = await upgrade(stage.gateway.httpUrl, headers, { data });
      t.after(() => socket.destroy());
      // One write: more pongs than the network takes in one turn of the event loop.
      const packet = Buffer.concat(new Array(5_000).fill(wsFrame(OPCODE.ping, payload)));
      const pongs = 5_000 * (payload.length + 2);
      for (let round = 1; round <= 5; round++) {
        socket.write(packet);
        await until(() => heard >= round * pongs, { what: () => `pongs, ${heard} bytes came` });
      }
      assert.equal(socket.destroyed, false);
    }
  }
  assert.equal(await closed('slow_consumer'), before);
  assert.equal(await closed('flooding'), 0);
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

test('in the end nothing is wrong with the gateway', async () => {
  assert.equal(await closed('flooding'), 0);
  assert.deepEqual(stage.gateway.errors, []);
});

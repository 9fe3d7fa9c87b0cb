import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { FaultProxy, Link } from '../../../bench/chaos/proxy.ts';
import { until } from '../../../testing/wait.ts';

/** Starts a proxy to an echo server. */
async function echo(t: TestContext) {
  let received = 0;
  const server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      received += chunk.length;
      socket.write(chunk);
    });
    socket.on('error', () => {});
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const proxy = await FaultProxy.start((server.address() as AddressInfo).port);
  t.after(async () => {
    await proxy.close();
    server.close();
  });
  return { proxy, received: () => received };
}

class Client {
  readonly socket: Socket;
  #chunks: Buffer[] = [];
  error: string | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => this.#chunks.push(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
  }

  static async open(t: TestContext, proxy: FaultProxy): Promise<Client> {
    const socket = connect(proxy.port, '127.0.0.1');
    t.after(() => socket.destroy());
    const client = new Client(socket);
    await once(socket, 'connect');
    return client;
  }

  get received(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** Returns bytes whose order can be verified. */
function pattern(bytes: number): Buffer {
  return Buffer.from(Uint32Array.from({ length: bytes / 4 }, (_, i) => i).buffer);
}

test('without faults every byte arrives, in order', async (t) => {
  const { proxy } = await echo(t);
  const client = await Client.open(t, proxy);
  const sent = pattern(4_000_000);
  client.socket.write(sent);
  await until(() => client.received.length === sent.length);
  assert(client.received.equals(sent));
  assert.deepEqual([proxy.counts.connections, proxy.counts.passedBytes], [1, 8_000_000]);
});

test('delayMs delays each direction and keeps the order', async (t) => {
  const { proxy } = await echo(t);
  proxy.faults = { delayMs: 100 };
  const client = await Client.open(t, proxy);
  const sinceMs = performance.now();
  const sent = pattern(40_000);
  for (let at = 0; at < sent.length; at += 4_000)
    client.socket.write(sent.subarray(at, at + 4_000));
  await until(() => client.received.length === sent.length);
  assert(performance.now() - sinceMs >= 200);
  assert(client.received.equals(sent));
});

test('a link limits the throughput of all its connections and keeps the order', async (t) => {
  const { proxy } = await echo(t);
  proxy.faults = { links: { up: new Link(1_000_000), down: new Link(10_000_000) } };
  const clients = [await Client.open(t, proxy), await Client.open(t, proxy)];
  const sinceMs = performance.now();
  const sent = pattern(200_000);
  for (const { socket } of clients) socket.write(sent);
  await until(() => clients.every(({ received }) => received.length === sent.length));
  const ms = performance.now() - sinceMs;
  assert(ms >= 400, `400,000 bytes took ${ms} ms`);
  assert(clients.every(({ received }) => received.equals(sent)));
});

test('discardResponses: the server keeps reading, no response arrives; new connections work', async (t) => {
  const { proxy, received } = await echo(t);
  const client = await Client.open(t, proxy);
  client.socket.write('before');
  await until(() => String(client.received) === 'before');
  proxy.discardResponses();
  client.socket.write('discarded');
  await until(() => received() === 15);
  await until(() => proxy.counts.discardedBytes === 9);
  assert.equal(String(client.received), 'before');
  const next = await Client.open(t, proxy);
  next.socket.write('whole');
  await until(() => String(next.received) === 'whole');
});

test('resetAfterBytes: exactly that many bytes pass, then both sides are reset', async (t) => {
  const { proxy, received } = await echo(t);
  proxy.faults = { resetAfterBytes: () => 1_001 };
  const client = await Client.open(t, proxy);
  client.socket.write(pattern(4_000));
  await until(() => client.error);
  assert.equal(client.error, 'ECONNRESET');
  await until(() => proxy.open === 0);
  assert(received() <= 1_001);
  assert.deepEqual([proxy.counts.resets, proxy.counts.passedBytes], [1, 1_001]);
});

test('blackHole: connections are accepted and nothing passes', async (t) => {
  const { proxy, received } = await echo(t);
  proxy.faults = { blackHole: true };
  const client = await Client.open(t, proxy);
  client.socket.write('lost');
  await until(() => proxy.counts.discardedBytes === 4);
  proxy.faults = {};
  const next = await Client.open(t, proxy);
  next.socket.write('ok');
  await until(() => String(next.received) === 'ok');
  assert.deepEqual([received(), client.received.length], [2, 0]);
});

test('FIN passes after the last byte, and the response to it arrives; without a server the client is reset', async (t) => {
  const { proxy } = await echo(t);
  const client = await Client.open(t, proxy);
  client.socket.end('last');
  await once(client.socket, 'close');
  await until(() => proxy.open === 0);
  assert.equal(String(client.received), 'last');
  const unreachable = await FaultProxy.start(1);
  t.after(() => unreachable.close());
  const rejected = await Client.open(t, unreachable);
  await until(() => rejected.socket.destroyed);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { FaultProxy, Link } from '../../../bench/chaos/proxy.ts';
import { until } from '../../../testing/wait.ts';

/** A proxy before a server that sends back what it is sent. */
async function echo(t: TestContext) {
  let heard = 0;
  const server = createServer((socket) => {
    socket.on('data', (chunk: Buffer) => {
      heard += chunk.length;
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
  return { proxy, heard: () => heard };
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

  get heard(): Buffer {
    return Buffer.concat(this.#chunks);
  }
}

/** Bytes whose order shows. */
function pattern(bytes: number): Buffer {
  return Buffer.from(Uint32Array.from({ length: bytes / 4 }, (_, i) => i).buffer);
}

test('without faults every byte arrives, in order, however many', async (t) => {
  const { proxy } = await echo(t);
  const client = await Client.open(t, proxy);
  const sent = pattern(4_000_000);
  client.socket.write(sent);
  await until(() => client.heard.length === sent.length);
  assert(client.heard.equals(sent));
  assert.deepEqual([proxy.counts.connections, proxy.counts.passedBytes], [1, 8_000_000]);
});

test('delayMs holds each direction so long and keeps the order', async (t) => {
  const { proxy } = await echo(t);
  proxy.faults = { delayMs: 100 };
  const client = await Client.open(t, proxy);
  const sinceMs = performance.now();
  const sent = pattern(40_000);
  for (let at = 0; at < sent.length; at += 4_000)
    client.socket.write(sent.subarray(at, at + 4_000));
  await until(() => client.heard.length === sent.length);
  assert(performance.now() - sinceMs >= 200);
  assert(client.heard.equals(sent));
});

test('a link is shared by its connections and bounds what passes, and keeps the order', async (t) => {
  const { proxy } = await echo(t);
  proxy.faults = { links: { up: new Link(1_000_000), down: new Link(10_000_000) } };
  const clients = [await Client.open(t, proxy), await Client.open(t, proxy)];
  const sinceMs = performance.now();
  const sent = pattern(200_000);
  for (const { socket } of clients) socket.write(sent);
  await until(() => clients.every(({ heard }) => heard.length === sent.length));
  const ms = performance.now() - sinceMs;
  assert(ms >= 400, `400,000 bytes took ${ms} ms`);
  assert(clients.every(({ heard }) => heard.equals(sent)));
});

test('swallowAnswers: the server reads on, nothing comes back; a new connection is whole', async (t) => {
  const { proxy, heard } = await echo(t);
  const client = await Client.open(t, proxy);
  client.socket.write('before');
  await until(() => String(client.heard) === 'before');
  proxy.swallowAnswers();
  client.socket.write('swallowed');
  await until(() => heard() === 15);
  await until(() => proxy.counts.swallowedBytes === 9);
  assert.equal(String(client.heard), 'before');
  const next = await Client.open(t, proxy);
  next.socket.write('whole');
  await until(() => String(next.heard) === 'whole');
});

test('resetAfterBytes: exactly so many bytes pass, then a reset on both sides', async (t) => {
  const { proxy, heard } = await echo(t);
  proxy.faults = { resetAfterBytes: () => 1_001 };
  const client = await Client.open(t, proxy);
  client.socket.write(pattern(4_000));
  await until(() => client.error);
  assert.equal(client.error, 'ECONNRESET');
  await until(() => proxy.open === 0);
  assert(heard() <= 1_001);
  assert.deepEqual([proxy.counts.resets, proxy.counts.passedBytes], [1, 1_001]);
});

test('blackHole: connections are taken and nothing passes', async (t) => {
  const { proxy, heard } = await echo(t);
  proxy.faults = { blackHole: true };
  const client = await Client.open(t, proxy);
  client.socket.write('lost');
  await until(() => proxy.counts.swallowedBytes === 4);
  proxy.faults = {};
  const next = await Client.open(t, proxy);
  next.socket.write('ok');
  await until(() => String(next.heard) === 'ok');
  assert.deepEqual([heard(), client.heard.length], [2, 0]);
});

test('an end passes behind the last byte, and what is answered to it comes back; no server: the client is reset', async (t) => {
  const { proxy } = await echo(t);
  const client = await Client.open(t, proxy);
  client.socket.end('last');
  await once(client.socket, 'close');
  await until(() => proxy.open === 0);
  assert.equal(String(client.heard), 'last');
  const nowhere = await FaultProxy.start(1);
  t.after(() => nowhere.close());
  const refused = await Client.open(t, nowhere);
  await until(() => refused.socket.destroyed);
});

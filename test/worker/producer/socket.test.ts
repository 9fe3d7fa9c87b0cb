import assert from 'node:assert/strict';
import { once } from 'node:events';
import type net from 'node:net';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../../src/config/limits.ts';
import { LengthCheck } from '../../../src/kafka/response-guard.ts';
import { WatchedSocket } from '../../../src/worker/producer/socket.ts';
import { PATIENCE_MS } from '../../../testing/wait.ts';
import { destroyServers, TcpServer } from '../../fakes/tcp-server.ts';

function response(payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload);
  const prefix = Buffer.alloc(4);
  prefix.writeInt32BE(bytes.length);
  return Buffer.concat([prefix, bytes]);
}

function lengthOf(value: number): Buffer {
  const prefix = Buffer.alloc(4);
  prefix.writeInt32BE(value);
  return prefix;
}

const GOOD = Buffer.concat([response('1234'), response('a longer response'), response('12345')]);

test('valid responses pass, split at any byte', () => {
  for (let at = 0; at <= GOOD.length; at++) {
    const check = new LengthCheck();
    assert.equal(check.accept(GOOD.subarray(0, at)), true);
    assert.equal(check.accept(GOOD.subarray(at)), true);
  }
  const check = new LengthCheck();
  for (const byte of GOOD) assert.equal(check.accept(Buffer.of(byte)), true);
});

test('an invalid length is detected after valid responses, split at any byte', () => {
  for (const wrong of [0, 2, 3, -1, -(2 ** 31), LIMITS.responseBytes + 1, 0x48545450]) {
    const stream = Buffer.concat([GOOD, lengthOf(wrong), Buffer.alloc(10)]);
    for (let at = 0; at <= stream.length; at++) {
      const check = new LengthCheck();
      const first = check.accept(stream.subarray(0, at));
      const end = GOOD.length + 4;
      assert.equal(first, at < end, `${wrong} split at ${at}`);
      if (first) assert.equal(check.accept(stream.subarray(at)), false);
    }
  }
});

test('random streams in random chunks: valid ones pass', () => {
  const payloads = fc.array(fc.uint8Array({ minLength: 4, maxLength: 50 }), { maxLength: 10 });
  fc.assert(
    fc.property(payloads, fc.array(fc.integer({ min: 1, max: 20 })), (bodies, sizes) => {
      const stream = Buffer.concat(bodies.map((body) => response(Buffer.from(body))));
      const check = new LengthCheck();
      let at = 0;
      for (const size of [...sizes, stream.length]) {
        assert.equal(check.accept(stream.subarray(at, at + size)), true);
        at += size;
      }
    }),
  );
});

/** Returns a watched socket connected to a server; its data goes to `onData`, as in kafkajs. */
async function connect(server: TcpServer, onData: (chunk: Buffer) => void = () => {}) {
  let closes = 0;
  let onClosed = () => {};
  const closing = new Promise<void>((resolve) => {
    onClosed = resolve;
  });
  const watched = new WatchedSocket(() => {
    closes++;
    onClosed();
  });
  let connects = 0;
  const onConnect = () => connects++;
  const socket = watched.factory({ ...server.address, ssl: undefined, onConnect });
  let error: Error | undefined;
  socket.on('data', onData);
  socket.on('error', (given) => {
    error = given;
  });
  await once(socket, 'connect');
  assert.equal(connects, 1);
  return {
    watched,
    socket,
    error: () => error,
    closed: async () => {
      await closing;
      assert.equal(closes, 1, 'it reports the close once');
    },
  };
}

const BASE_TIMEOUTS = { guardMs: 60, requestMs: 10_000 };

describe('a watched socket', { concurrency: true, timeout: PATIENCE_MS }, () => {
  after(destroyServers);

  test('closes with an error without a response', async () => {
    const server = await TcpServer.start((socket) => socket.resume());
    const { watched, socket, error, closed } = await connect(server);
    const startedMs = performance.now();
    socket.write('request');
    watched.watch(BASE_TIMEOUTS);
    await closed();
    assert(performance.now() - startedMs >= BASE_TIMEOUTS.guardMs, 'not too early');
    assert.equal(watched.endReason, 'guard');
    assert.equal(watched.alive, false);
    assert.equal(error()?.message, 'guard');
    await server.closed();
  });

  test('stays open while data arrives, and closes when the request times out', async () => {
    const dripping = (socket: net.Socket) => {
      const drip = setInterval(() => socket.write('.'), 5);
      socket.on('close', () => clearInterval(drip));
    };
    const server = await TcpServer.start((socket) => {
      socket.write(lengthOf(10_000));
      dripping(socket);
    });
    const { watched, closed } = await connect(server);
    const startedMs = performance.now();
    watched.watch({ guardMs: 60, requestMs: 400 });
    await closed();
    assert.equal(watched.endReason, 'request_timeout');
    assert(performance.now() - startedMs >= 400, 'not too early');
    await server.closed();
  });

  test('stays open while written data has not left', async () => {
    const server = await TcpServer.start((socket) => socket.pause());
    const { watched, socket, closed } = await connect(server);
    socket.write(Buffer.alloc(16 * 2 ** 20));
    watched.watch({ guardMs: 60, requestMs: 400 });
    await closed();
    assert.equal(watched.endReason, 'request_timeout', 'not by the guard');
    server.sockets[0]?.destroy();
    await server.closed();
  });

  test('is not closed after the watch has ended', async () => {
    const server = await TcpServer.start((socket) => socket.resume());
    const { watched, socket, closed } = await connect(server);
    watched.watch({ guardMs: 6, requestMs: 10 });
    watched.unwatch();
    const answered = once(socket, 'data');
    setTimeout(() => server.sockets[0]?.write(response('late enough')), 50);
    await answered;
    assert.equal(watched.endReason, undefined);
    watched.end('closed');
    await closed();
    await server.closed();
  });

  test('closes at a length that no response has, before its listener gets the chunk', async () => {
    for (const wrong of [2, -1]) {
      const server = await TcpServer.start((socket) => socket.write(lengthOf(wrong)));
      const seen: Buffer[] = [];
      const { watched, closed } = await connect(server, (chunk) => seen.push(chunk));
      await closed();
      assert.equal(watched.endReason, 'bad_response');
      assert.deepEqual(seen, []);
      await server.closed();
    }
  });

  test('closes when its listener throws', async () => {
    const server = await TcpServer.start((socket) => socket.write(response('1234')));
    const { watched, closed } = await connect(server, () => {
      throw new Error('cannot be read');
    });
    await closed();
    assert.equal(watched.endReason, 'bad_response');
    await server.closed();
  });

  test('delivers the whole response, however it is split, to the requester only', async () => {
    const answer = response('an answer of a broker');
    for (let at = 1; at < answer.length; at++) {
      const pieces = ['what ', 'is ', 'asked'].map((piece) => Buffer.from(piece));
      const received: Buffer[] = [];
      const server = await TcpServer.start((socket) => {
        socket.setNoDelay(true);
        socket.on('data', (chunk) => {
          received.push(chunk);
          if (Buffer.concat(received).length < Buffer.concat(pieces).length) return;
          socket.write(answer.subarray(0, at));
          setImmediate(() => socket.write(answer.subarray(at)));
        });
      });
      const seen: Buffer[] = [];
      const { watched, closed } = await connect(server, (chunk) => seen.push(chunk));
      const given = await new Promise<Buffer>((resolve) => watched.request(pieces, resolve));
      assert.equal(given.toString(), 'an answer of a broker');
      assert.equal(Buffer.concat(received).toString(), 'what is asked');
      assert.deepEqual(seen, []);
      watched.end('closed');
      await closed();
      await server.closed();
    }
  });

  test('delivers the first of two responses that arrive at once, and closes', async () => {
    const server = await TcpServer.start((socket) => {
      socket.once('data', () =>
        socket.write(Buffer.concat([response('first'), response('second')])),
      );
    });
    const { watched, closed } = await connect(server);
    const given = await new Promise<Buffer>((resolve) =>
      watched.request([Buffer.from('request')], resolve),
    );
    assert.equal(given.toString(), 'first');
    await closed();
    assert.equal(watched.endReason, 'bad_response');
    await server.closed();
  });

  test('rejects a response to a request that has not left, whose bytes are still read', async () => {
    const server = await TcpServer.start((socket) => {
      socket.pause();
      socket.write(response('too early'));
    });
    const { watched, closed } = await connect(server);
    let answers = 0;
    watched.request([Buffer.alloc(32 * 2 ** 20)], () => answers++);
    await closed();
    assert.deepEqual([watched.endReason, answers], ['bad_response', 0]);
    server.sockets[0]?.destroy();
    await server.closed();
  });

  test('passes data to its listener when no own request is in flight', async () => {
    const server = await TcpServer.start((socket) => {
      socket.on('data', (chunk) => socket.write(response(`re: ${chunk}`)));
    });
    const seen: string[] = [];
    const { watched, socket, closed } = await connect(server, (chunk) =>
      seen.push(chunk.toString('utf8', 4)),
    );
    const answered = once(socket, 'data');
    socket.write('theirs');
    await answered;
    const ours = await new Promise<Buffer>((resolve) =>
      watched.request([Buffer.from('ours')], resolve),
    );
    assert.equal(ours.toString(), 're: ours');
    assert.deepEqual(seen, ['re: theirs']);
    watched.end('closed');
    await closed();
    await server.closed();
  });

  test('reports a close by the peer, and keeps the first reason', async () => {
    const server = await TcpServer.start((socket) => socket.end());
    const { watched, closed } = await connect(server);
    await closed();
    assert.equal(watched.endReason, undefined);
    watched.end('closed');
    watched.end('guard');
    assert.equal(watched.endReason, 'closed');
    await server.closed();
  });
});

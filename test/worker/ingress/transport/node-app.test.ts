/** The transport of Node.js alone: input that ingress does not want to read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { freePorts } from '../../../../deploy/kafka/ports.ts';
import { LIMITS } from '../../../../src/config/limits.ts';
import { nodeTransport } from '../../../../src/worker/ingress/transport/node/node-transport.ts';
import type { App, HttpResponse } from '../../../../src/worker/ingress/transport/transport.ts';
import { HANDSHAKE } from '../../../../testing/crowd-process.ts';
import { until } from '../../../../testing/wait.ts';
import { OPCODE, wsFrame } from '../../../../testing/ws-frame.ts';

const LENGTH = 8_000_000;
const CHUNKS = 5_000;

/** Starts an app that answers GET requests, and passes others to `handler`. */
async function serve(t: TestContext, handler: (response: HttpResponse) => void): Promise<number> {
  const [port] = await freePorts(1);
  const app: App = nodeTransport()
    .createApp()
    .any('/*', (response, request) => {
      if (request.getCaseSensitiveMethod() === 'GET') response.end('here');
      else handler(response.onAborted(() => {}) as HttpResponse);
    });
  t.after(() => app.close());
  await new Promise((listening) => app.listen('127.0.0.1', port!, listening));
  return port!;
}

/** Sends a request on a connection of its own. */
async function send(t: TestContext, port: number, text: string) {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

/** Waits until the loop has served another connection several times. */
async function pass(port: number): Promise<void> {
  for (let time = 0; time < 20; time++) {
    await (await fetch(`http://127.0.0.1:${port}/`, { headers: { Connection: 'close' } })).text();
  }
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

for (const [what, head, body] of [
  ['of known length', `Content-Length: ${LENGTH}`, 'x'.repeat(LENGTH)],
  [
    'in tiny chunks',
    'Transfer-Encoding: chunked',
    `${chunk('x').repeat(CHUNKS)}${chunk('x'.repeat(LENGTH - CHUNKS))}${chunk('')}`,
  ],
] as const) {
  test(`a paused body ${what}: what was read is delivered, the rest waits for resume`, async (t) => {
    let bytes = 0;
    let paused: HttpResponse | undefined;
    const port = await serve(t, (response) => {
      paused = response;
      response.onData((chunk, isLast) => {
        if (bytes === 0) response.pause();
        bytes += chunk.byteLength;
        if (isLast) response.end('complete');
      });
    });
    const socket = await send(t, port, `POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n${body}`);
    await until(() => bytes > 0);
    await pass(port);
    const read = bytes;
    assert(read > 1 && read <= 65_536, `${read} bytes`);
    await pass(port);
    assert.equal(bytes, read, 'it is not read');
    paused!.resume();
    await once(socket, 'data');
    assert.equal(bytes, LENGTH);
  });
}

test('a frame in thousands of packets: its memory is reported, then it ends with 1008', async (t) => {
  const [port] = await freePorts(1);
  const held: number[] = [];
  const app = nodeTransport()
    .createApp()
    .ws('/ws', {
      maxPayloadLength: 65_536,
      maxBackpressure: 65_536,
      idleTimeout: 60,
      sendPingsAutomatically: false,
      upgrade(response, request, context) {
        response.upgrade({}, request.getHeader('sec-websocket-key'), '', '', context);
      },
      open: () => {},
      message: () => assert.fail('it is incomplete'),
      partial: (_socket, bytes) => held.push(bytes),
      pong: () => {},
      close: () => {},
    });
  t.after(() => app.close());
  await new Promise((listening) => app.listen('127.0.0.1', port!, listening));
  const socket = await send(t, port!, HANDSHAKE);
  socket.setNoDelay(true);
  await once(socket, 'data');
  let end: Buffer | undefined;
  socket.on('data', (bytes: Buffer) => {
    end = bytes;
  });
  const frame = wsFrame(OPCODE.text, 'x'.repeat(10_000));
  for (let sent = 1; end === undefined; sent++) {
    assert(sent < frame.length, 'it is still open');
    socket.write(frame.subarray(sent - 1, sent));
    while (held.length < sent && end === undefined) await nextTurn();
  }
  assert.deepEqual([end[0], end.readUInt16BE(2)], [0x88, 1008]);
  assert(held.length > 4_000 && held.length < 5_000, `${held.length} packets`);
  assert.equal(held.at(-1), held.length * (1 + LIMITS.chunkOverheadBytes));
});

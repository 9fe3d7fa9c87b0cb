/** Handshakes of RFC 6455, row by row, at once and byte by byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { good } from '../../testing/events.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { OPCODE, wsFrame } from '../../testing/ws-frame.ts';
import { HANDSHAKES, type Handshake } from '../fixtures/handshakes.ts';
import { expected } from '../fixtures/transport-differences.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';
import { handshake, WsSocket } from '../support/ws-socket.ts';

/** Maximum length of handshakes that are also sent byte by byte. */
const SPLIT_BYTES_MAX = 1_000;
/** Sec-WebSocket-Accept of the example key in RFC 6455, 1.3. */
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

const stage = useStage({ env: { KAFKA_LINGER_MS: '1' } });

async function shake({ bytes, status, protocol }: Handshake, split: boolean): Promise<void> {
  const socket = new WsSocket(stage.gateway.port);
  if (split) await socket.sendSplit(bytes);
  else socket.send(bytes);
  await socket.until(() => socket.head !== '' || socket.closed, 'an answer');
  // Handshakes rejected by the parser are closed before their last byte: a reset may drop the
  // response.
  if (split && status === 505 && socket.head === '') return;
  assert.equal(socket.status, status);
  if (status === 101) {
    assert(socket.head.includes(`\r\nSec-WebSocket-Accept: ${ACCEPT}`), socket.head);
    const [, chosen] = /\r\nSec-WebSocket-Protocol: (.*)/i.exec(socket.head) ?? [];
    assert.equal(chosen?.trim(), protocol, 'the subprotocol');
    assert.doesNotMatch(socket.head, /Sec-WebSocket-Extensions/i);
    assert(await socket.lives(), 'the WebSocket works');
    assert.equal(socket.texts.length, protocol === undefined ? 0 : 1, 'hello');
  }
  await socket.end();
}

async function failures(rows: readonly Handshake[], split: boolean): Promise<string[]> {
  const failed = await Promise.all(
    rows.map((row) =>
      shake(row, split).then(
        () => [],
        (error: Error) => [`${row.name}: ${error.message}`],
      ),
    ),
  );
  return failed.flat();
}

test('each handshake has the response of the table, at once and byte by byte', async (t) => {
  const client = await GoodClient.overWs(t, stage.gateway.wsUrl, 'bystander');
  assert.deepEqual(await failures(HANDSHAKES, false), []);
  const short = HANDSHAKES.filter(({ bytes }) => bytes.length <= SPLIT_BYTES_MAX);
  assert.deepEqual(await failures(short, true), []);
  await client.untilServed(100);
  const { ids, p99Ms } = await client.stop();
  const rows = HANDSHAKES.length + short.length;
  t.diagnostic(
    `${rows} handshakes; the good client's p99 of ${ids.length} acks: ${p99Ms.toFixed(1)} ms`,
  );
  await metricsAtRest(stage.gateway);
  assert.equal((await stage.newRecords()).length, ids.length);
});

test('a compressed frame ends its connection, whatever was offered', async () => {
  const socket = new WsSocket(stage.gateway.port);
  socket.send(handshake(['Sec-WebSocket-Extensions: permessage-deflate']));
  await socket.until(() => socket.texts.length > 0, 'hello');
  socket.send(wsFrame(OPCODE.text, Buffer.from('aa5600', 'hex'), { rsv: 4 }));
  await socket.ended();
  assert.equal(socket.closeCode, expected(undefined, 1002));
  assert.equal(socket.texts.length, 1, 'only hello');
});

test('a frame in the packet of the handshake is lost, or accepted', async () => {
  const socket = new WsSocket(stage.gateway.port);
  socket.send(Buffer.concat([handshake(), wsFrame(OPCODE.text, good('too soon'))]));
  await socket.until(() => socket.texts.length > 0, 'hello');
  const event = good('in time');
  socket.send(wsFrame(OPCODE.text, event));
  await socket.until(() => socket.acknowledged > 0, 'an ack');
  const early = expected([], [good('too soon')]);
  assert.deepEqual((await stage.newValues()).sort(), [event, ...early]);
  await socket.end();
});

test('a handshake in the packet of requests is answered in turn', async () => {
  const http = new RawHttp(stage.gateway.port);
  const request = Buffer.from('GET /livez HTTP/1.1\r\nHost: a\r\n\r\n');
  http.write(Buffer.concat([request, request, handshake()]));
  await http.answers(3);
  assert.deepEqual(http.statuses, [200, 200, 101]);
  http.destroy();
});

test('a frame after a rejected handshake is neither a request nor an event', async () => {
  for (const line of ['Sec-WebSocket-Version: 8', 'Upgrade: h2c', 'Origin: http://other']) {
    const socket = new WsSocket(stage.gateway.port);
    socket.send(Buffer.concat([handshake([line]), wsFrame(OPCODE.text, good('refused'))]));
    await socket.ended();
  }
  await metricsAtRest(stage.gateway);
  assert.deepEqual(await stage.newValues(), []);
});

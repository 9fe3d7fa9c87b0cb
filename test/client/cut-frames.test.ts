/** WebSockets that are cut because of a frame: the same frame is never sent on the next one. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { WebSocket } from 'ws';
import { type Client, createClient } from '../../src/client/client.ts';
import { until } from '../../testing/wait.ts';
import { FakeGateway } from '../page/fake-gateway.ts';

/** Frames without an ack. */
const CREDIT = 8;
let gateway: FakeGateway;
let client: Client;

beforeEach(async () => {
  gateway = await new FakeGateway().listen();
  // Delays are short, but none is omitted.
  mock.method(Math, 'random', () => 0.01);
  client = createClient({ url: `${gateway.url.replace('http', 'ws')}ws`, webSocket: WebSocket });
});
afterEach(() => {
  mock.restoreAll();
  gateway.close();
  void client.close();
});

interface Received {
  readonly ids: string[];
  readonly cuts: string[];
}

/** Acknowledges frames one by one, and cuts the connection at the first that matches. */
function gatewayThatCuts(isCut: (frame: string) => boolean): Received {
  const received: Received = { ids: [], cuts: [] };
  const own = gateway;
  const isOver = () => own.isClosed;
  void (async () => {
    for (let number = 1; !isOver(); number++) {
      const connection = await own.connection(number).catch(() => undefined);
      if (!connection) return;
      connection.hello(CREDIT, 1e9);
      for (let at = 0; !isOver(); at++) {
        await until(() => isOver() || connection.closed || connection.frames.length > at, {
          deadlineMs: 60_000,
          everyMs: 1,
        }).catch(() => {});
        const frame = connection.frames[at];
        if (frame === undefined) break;
        if (isCut(frame)) {
          received.cuts.push(frame);
          connection.cut();
          break;
        }
        received.ids.push(...[JSON.parse(frame)].flat().map(({ id }: { id: string }) => id));
        connection.say({ ack: at + 1 });
        connection.say({ credit: { frames: at + 1 + CREDIT, bytes: 1e9 } });
      }
    }
  })();
  return received;
}

function send(count: number, bytes: number): string[] {
  const ids = Array.from({ length: count }, (_, at) => `e${at}`);
  for (const id of ids) void client.send({ id, pad: 'x'.repeat(bytes - 20) });
  return ids;
}

for (const [count, bytes, most] of [
  [100, 1_000, 5_000],
  [300, 200, 1_000],
  [20, 20_000, 30_000],
] as const) {
  test(`cut at each frame above ${most} bytes: ${count} events of ${bytes} bytes arrive, in order`, async () => {
    const received = gatewayThatCuts((frame) => frame.length > most);
    const ids = send(count, bytes);
    await until(() => client.status.stored === count);
    // An ack may be lost with the connection: then the same events are resent.
    assert.deepEqual([...new Set(received.ids)], ids);
    assert(received.cuts.length > 0, 'it was cut');
    assert(received.cuts.length < 20, `${received.cuts.length} cuts`);
    assert.equal(new Set(received.cuts).size, received.cuts.length, 'no frame came twice');
  });
}

test('an event that always causes a cut blocks no other, is kept, and is reported', async () => {
  const received = gatewayThatCuts((frame) => frame.includes('"bad"'));
  for (const id of ['a', 'b', 'bad', 'c', 'd']) void client.send({ id });
  await until(() => client.status.stored === 4);
  assert.deepEqual([...new Set(received.ids)].sort(), ['a', 'b', 'c', 'd']);
  assert(received.cuts.length >= 2, 'it was cut');
  await until(() => /one of 12 bytes got no response/.test(client.status.problem ?? ''));
  assert.equal(client.status.bufferedBytes, 12);
});

test('repeated cuts for another reason: afterwards frames are long again', async () => {
  let cuts = 8;
  const received = gatewayThatCuts(() => cuts-- > 0);
  const ids = send(600, 500);
  await until(() => client.status.stored === 600);
  assert.equal(new Set(received.ids).size, ids.length);
  assert(Math.min(...received.cuts.map(({ length }) => length)) < 1_100, 'they were halved');
  const frames = (await gateway.connection(9)).frames.map(({ length }) => length);
  assert(Math.max(...frames) > 15_000, `${frames}`);
});

/** The load client against a server that a test controls. */
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { Load } from '../../../bench/load/load.ts';
import type { LoadShape, LoadTimes } from '../../../bench/load/messages.ts';

interface Served {
  readonly port: number;
  /** Ids in order of arrival, by connection. */
  readonly ids: string[][];
}

/** @param onFrame receives the number of each frame on its connection, from 1 */
async function serve(
  t: TestContext,
  credit: { frames: number; bytes: number },
  onFrame: (socket: WebSocket, frame: number) => void,
): Promise<Served> {
  const server = new WebSocketServer({
    host: '127.0.0.1',
    port: 0,
    handleProtocols: () => 'forebay.v1',
  });
  t.after(() => server.close());
  const ids: string[][] = [];
  server.on('connection', (socket) => {
    const own: string[] = [];
    ids.push(own);
    let frames = 0;
    socket.send(JSON.stringify({ hello: { maxFrameBytes: 1, maxFrameEvents: 1, credit } }));
    socket.on('message', (data) => {
      const parsed = JSON.parse(String(data)) as { id: string } | { id: string }[];
      for (const { id } of [parsed].flat()) own.push(id);
      onFrame(socket, ++frames);
    });
    socket.on('error', () => {});
  });
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: (server.address() as AddressInfo).port, ids };
}

async function run(
  t: TestContext,
  port: number,
  shape: Partial<LoadShape> = {},
  times: Partial<LoadTimes> = {},
) {
  const load = new Load({
    port,
    run: 't1',
    connections: 2,
    eventsPerSecond: 200,
    eventsPerFrame: 1,
    framesPerPacket: 1,
    eventBytes: 140,
    ...shape,
  });
  t.after(() => load.close());
  await load.open();
  const marks: string[] = [];
  const report = await load.run({ warmUpMs: 50, windowMs: 200, settleMs: 2_000, ...times }, (is) =>
    marks.push(is),
  );
  assert.deepEqual(marks, ['begin', 'end']);
  return report;
}

const ENOUGH = { frames: 1_000, bytes: 1_000_000 };

test('the whole schedule is sent, each event exactly once, and acknowledged', async (t) => {
  const served = await serve(t, ENOUGH, (socket, frame) => socket.send(`{"ack":${frame}}`));
  const shape = { eventsPerFrame: 5, framesPerPacket: 2, eventsPerSecond: 2_000 };
  const report = await run(t, served.port, shape);
  assert.deepEqual(report.problems, []);
  assert.equal(report.sentEvents, 500);
  assert.equal(new Set(served.ids.flat()).size, 500);
  for (const [index, { sentEvents, settledEvents, refused }] of report.connections.entries()) {
    assert.deepEqual([sentEvents, settledEvents, refused], [250, 250, []]);
    assert.equal(served.ids[index]?.length, 250);
    assert.deepEqual(served.ids[index], [...served.ids[index]!].sort());
  }
  assert(report.window.ackedEvents > 300 && report.window.ackedEvents <= 500);
  assert(report.window.ackFrames > 0);
});

test('latency includes the wait for credit, and credit is never exceeded', async (t) => {
  const served = await serve(t, { frames: 3, bytes: 10_000 }, (socket, frame) => {
    assert(frame <= 3 || granted, `frame ${frame} is beyond the credit`);
    if (frame === 3) setTimeout(() => grant(socket), 150);
    socket.send(`{"ack":${frame}}`);
  });
  let granted = false;
  const grant = (socket: WebSocket) => {
    granted = true;
    socket.send('{"credit":{"frames":1000,"bytes":100000}}');
  };
  const report = await run(t, served.port, { connections: 1 }, { warmUpMs: 0 });
  assert.deepEqual(report.problems, []);
  assert.equal(report.sentEvents, 40);
  assert(report.starvedPackets >= 10, `${report.starvedPackets} waited`);
  assert(report.latency.max >= 100, `${report.latency.max} ms`);
});

test('events that wait for credit at the end of the window may be dropped', async (t) => {
  const served = await serve(t, { frames: 3, bytes: 10_000 }, (socket, frame) =>
    socket.send(`{"ack":${frame}}`),
  );
  const report = await run(t, served.port, { connections: 1 }, { dropQueue: true });
  assert.deepEqual([report.sentEvents, report.problems], [3, []]);
});

test('rejected events are listed, counted by code, and not acknowledged', async (t) => {
  const served = await serve(t, ENOUGH, (socket, frame) => {
    if (frame === 2) {
      const errors = [
        { code: 'schema', retry: false, events: [[1, 2]], message: '' },
        { code: 'timeout', retry: true, retryAfterMs: 1, events: [[4, 4]], message: '' },
      ];
      socket.send(JSON.stringify({ nack: 2, errors }));
    }
    if (frame === 3) {
      const whole = [{ code: 'buffer_full', retry: true, retryAfterMs: 1, message: '' }];
      socket.send(JSON.stringify({ nack: 3, errors: whole }));
    }
    socket.send(`{"ack":${frame}}`);
  });
  const shape = { connections: 1, eventsPerFrame: 5, eventsPerSecond: 500 };
  const report = await run(t, served.port, shape, { warmUpMs: 0 });
  assert.deepEqual(report.problems, []);
  assert.deepEqual(report.refusedEvents, { schema: 2, timeout: 1, buffer_full: 5 });
  const [{ refused, uncertain, settledEvents } = assert.fail('no connection')] = report.connections;
  assert.deepEqual([refused, uncertain, settledEvents], [[6, 7, 10, 14], [9, 9], 100]);
});

test('an invalid ack, a lost connection and unsettled events are problems', async (t) => {
  const wild = await serve(t, ENOUGH, (socket) => socket.send('{"ack":999}'));
  const cut = await serve(t, ENOUGH, (socket) => socket.terminate());
  const silent = await serve(t, ENOUGH, () => {});
  const short = { settleMs: 50 };
  const problemsOf = async ({ port }: Served) => (await run(t, port, {}, short)).problems;
  assert.match((await problemsOf(wild))[0] ?? '', /^ack 999 is outside the frames in flight/);
  assert.match((await problemsOf(cut))[0] ?? '', /^connection \d ended: /);
  assert.deepEqual(await problemsOf(silent), ['2 connections not settled within 50 ms']);
});

test('the report contains the lag of the pacer', async (t) => {
  const served = await serve(t, ENOUGH, (socket, frame) => socket.send(`{"ack":${frame}}`));
  const running = run(t, served.port, {}, { warmUpMs: 0 });
  await sleep(100);
  const untilMs = performance.now() + 80;
  while (performance.now() < untilMs);
  const { lag } = await running;
  assert(lag.max >= 70, `${lag.max} ms`);
});

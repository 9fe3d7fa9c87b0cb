import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { LIMITS } from '../../../src/config/limits.ts';
import { LiveView } from '../../../src/primary/live-view/live-view.ts';
import type { Sampler } from '../../../src/primary/live-view/sampler.ts';
import type { StreamViolations } from '../../../src/primary/violations.ts';
import { until } from '../../../testing/wait.ts';

const { points: POINTS, viewers: VIEWERS, unreadBytes: UNREAD } = LIMITS.liveView;

/** A fake sampler: the point counts its calls. */
class FakeSampler {
  points = 0;
  statuses = 0;
  padding = '';
  point() {
    return [++this.points];
  }
  status() {
    this.statuses++;
    return { padding: this.padding };
  }
}

const ABOUT = { version: '1.2.3', topic: 'events', brokers: ['a:9092', 'b:9092'], tail: false };
const violations = { version: 0, list: (): StreamViolations[] => [] };
let sampler = new FakeSampler();
let view = new LiveView(sampler as unknown as Sampler, ABOUT, violations);
function fresh() {
  sampler = new FakeSampler();
  view = new LiveView(sampler as unknown as Sampler, ABOUT, violations);
}

/** Open streams. */
const open = new Set<ServerResponse>();
const server = createServer((_request, response) => {
  if (!view.watch(response)) return void response.writeHead(503).end();
  open.add(response);
  response.on('close', () => open.delete(response));
});
let port = 0;
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
after(() => {
  server.closeAllConnections();
  server.close();
});

interface Received {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

/** A viewer. */
class Viewer {
  readonly events: Received[] = [];
  readonly response: IncomingMessage;
  #rest = '';

  constructor(response: IncomingMessage) {
    this.response = response;
    response.on('error', () => {});
    response.setEncoding('utf8').on('data', (text: string) => {
      const frames = (this.#rest + text).split('\n\n');
      this.#rest = frames.pop()!;
      for (const frame of frames) {
        const [, event, data] = frame.match(/^event: (\w+)\ndata: (.*)$/) ?? [];
        if (event !== undefined) this.events.push({ event, data: JSON.parse(data!) });
      }
    });
  }

  static open(): Promise<Viewer> {
    return new Promise((resolve, reject) => {
      const asked = request({ port, host: '127.0.0.1', agent: false }, (response) =>
        resolve(new Viewer(response)),
      );
      asked.on('error', reject).end();
    });
  }

  async received(count: number): Promise<readonly Received[]> {
    await until(() => this.events.length >= count, { what: `${count} events` });
    return this.events;
  }

  async close(): Promise<void> {
    const before = open.size;
    this.response.destroy();
    await until(() => open.size < before, { what: 'the end of a stream' });
  }
}

test('the ring holds ten minutes: the oldest point is dropped, a new viewer gets all', async () => {
  fresh();
  for (let second = 0; second < POINTS + 5; second++) view.sample();
  assert.equal(sampler.statuses, 0, 'without viewers no status is computed');
  const viewer = await Viewer.open();
  const [past] = await viewer.received(1);
  assert.equal(past?.event, 'past');
  const { points, version, topic, brokers, tail, secondsMax, columns, texts } = past!.data;
  assert.equal((points as number[][]).length, POINTS);
  assert.deepEqual((points as number[][])[0], [6]);
  assert.deepEqual({ version, topic, brokers, tail, secondsMax }, { ...ABOUT, secondsMax: POINTS });
  assert((columns as string[]).includes('refused.schema'), 'columns have names');
  assert.equal((texts as Record<string, string>).buffer_full, 'the buffer is full');
  await viewer.close();
});

test('several viewers get the same point, and one that leaves does not affect the others', async () => {
  fresh();
  const [one, two] = await Promise.all([Viewer.open(), Viewer.open()]);
  await Promise.all([one.received(2), two.received(2)]);
  view.sample();
  const [[, , ofOne], [, , ofTwo]] = await Promise.all([one.received(3), two.received(3)]);
  assert.deepEqual(ofOne, { event: 'point', data: { point: [1], status: { padding: '' } } });
  assert.deepEqual(ofTwo, ofOne);
  await one.close();
  view.sample();
  assert.deepEqual((await two.received(4))[3]?.data.point, [2]);
  await two.close();
});

test('violations follow the history, and are sent again when they have changed', async (t) => {
  fresh();
  t.after(() => {
    Object.assign(violations, { version: 0, list: () => [] });
  });
  const group = { stream: 's', kind: 'rejected', events: 1, reasons: [], otherEvents: 1 } as const;
  violations.list = () => [group];
  const viewer = await Viewer.open();
  assert.deepEqual((await viewer.received(2))[1], { event: 'violations', data: [group] });
  view.sample();
  violations.version++;
  violations.list = () => [{ ...group, events: 2 }];
  view.sample();
  view.sample();
  const events = await viewer.received(6);
  assert.deepEqual(
    events.map(({ event }) => event),
    ['past', 'violations', 'point', 'point', 'violations', 'point'],
  );
  assert.deepEqual(events[4]?.data, [{ ...group, events: 2 }]);
  await viewer.close();
});

test('viewers are limited, and a free slot is reused', async () => {
  fresh();
  const viewers = await Promise.all(Array.from({ length: VIEWERS }, () => Viewer.open()));
  const refused = await Viewer.open();
  assert.equal(refused.response.statusCode, 503);
  await viewers.pop()!.close();
  const next = await Viewer.open();
  assert.equal(next.response.statusCode, 200);
  for (const viewer of [...viewers, next]) await viewer.close();
});

test('a viewer that does not read is disconnected before much is buffered', async () => {
  fresh();
  const deaf: Socket = connect(port, '127.0.0.1');
  deaf.on('error', () => {}).pause();
  deaf.write('GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await until(() => open.size === 1, { what: 'the deaf viewer' });
  const viewer = await Viewer.open();
  await viewer.received(1);
  sampler.padding = 'x'.repeat(UNREAD / 4);
  const [stream] = open;
  let kept = 0;
  await until(
    async () => {
      view.sample();
      kept = Math.max(kept, stream!.writableLength);
      // Gives the reading viewer time to read.
      await viewer.received(sampler.points + 2);
      return !open.has(stream!);
    },
    { what: 'the end of the deaf viewer' },
  );
  assert(kept <= 2 * UNREAD, `${kept} bytes were kept`);
  assert(open.size === 1, 'the one that reads stays');
  deaf.destroy();
  await viewer.close();
});

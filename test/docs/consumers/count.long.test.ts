/** examples/consumer/count.ts counts the events of a gateway once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Child } from '../../../testing/child.ts';
import { type Gateway, startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { Poster } from '../../../testing/post.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-count-'));
const topic = uniqueTopic();
let brokers: readonly string[];
let gateway: Gateway;

before(async () => {
  ({ brokers } = await sharedKafka());
  const file = join(folder, 'streams.json');
  const create = { partitions: 3, replication: 1 };
  const headers = ['received', 'event-id', 'resent'];
  const streams = { default: { topic, create, key: 'none', headers } };
  writeFileSync(file, JSON.stringify({ version: 1, streams }));
  gateway = await startGateway({ brokers, topic, env: { FOREBAY_STREAMS_FILE: file } });
});
after(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('the example counts each event once, although clients send some of them again', async (t) => {
  const poster = new Poster(gateway.httpUrl);
  const send = async (first: number, last: number, isRepeat = false) => {
    const ids = Array.from({ length: last - first + 1 }, (_, at) => ({ id: `e-${first + at}` }));
    const { body } = await poster.post(JSON.stringify(ids), isRepeat);
    assert.deepEqual(body, { accepted: ids.length, errors: [] });
  };
  await send(0, 9);
  await send(5, 14, true);
  // Originals that are stored after their marked copies, and a further repeat.
  await send(10, 12);
  await send(5, 9, true);
  const env = { KAFKA_BROKERS: brokers.join(',') };
  const counter = new Child('examples/consumer/count.ts', [topic], env);
  t.after(() => counter.kill());
  await counter.line(({ unique, repeats }) => unique === 15 && repeats === 13);
});

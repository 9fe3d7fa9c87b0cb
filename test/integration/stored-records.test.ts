/** `POST /events?records=1`: the response agrees with what consumers read. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { KafkaMessage } from 'kafkajs';
import { LIMITS } from '../../src/config/limits.ts';
import type { StoredRecord } from '../../src/worker/acknowledger/stored-records.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { testKafka } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-stored-records-'));
const [clicks, orders] = [uniqueTopic(), uniqueTopic()];
const STREAMS = `
version: 1
routing: { field: type }
streams:
  clicks:
    topic: ${clicks}
    match: [click]
    create: { partitions: 3, replication: 1 }
    key: { field: user }
    headers: [received, event-id, resent, request-id, stream, transport, instance, client-ip]
    idField: meta.id
    time: { field: at }
  orders:
    topic: ${orders}
    match: [order]
    create: { partitions: 2, replication: 1 }
    key: none
`;
let gateway: Gateway;
let brokers: readonly string[];
before(async () => {
  writeFileSync(join(folder, 'streams.yaml'), STREAMS);
  ({ brokers } = await sharedKafka());
  const env = { FOREBAY_STREAMS_FILE: join(folder, 'streams.yaml'), FOREBAY_WORKERS: '2' };
  gateway = await startGateway({ brokers, topic: uniqueTopic(), env });
});
after(async () => {
  await gateway?.stop();
  rmSync(folder, { recursive: true });
});

/** Records of these topics from their beginning, by the number `n` in their events. */
async function readBack(count: number): Promise<Map<number, Omit<StoredRecord, 'event'>>> {
  const found = new Map<number, Omit<StoredRecord, 'event'>>();
  const consumer = testKafka(brokers).consumer({ groupId: `${clicks}-reader` });
  const recordOf = (topic: string, partition: number, message: KafkaMessage) => ({
    stream: topic === clicks ? 'clicks' : 'orders',
    partition,
    timestamp: Number(message.timestamp),
    key: message.key === null ? null : String(message.key),
    headers: Object.fromEntries(
      Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
    ),
  });
  await consumer.connect();
  try {
    await consumer.subscribe({ topics: [clicks, orders], fromBeginning: true });
    await consumer.run({
      eachMessage: async ({ topic, partition, message }) => {
        const { n } = JSON.parse(String(message.value)) as { n: number };
        found.set(n, recordOf(topic, partition, message));
      },
    });
    await until(() => found.size >= count, { what: `${count} records` });
  } finally {
    await consumer.disconnect();
  }
  return found;
}

test('partition, timestamp, key and headers are those of the record, in its order', async () => {
  const nowMs = Date.now();
  const events = Array.from({ length: LIMITS.shownRecords.count + 5 }, (_, n) => {
    if (n === 2) return { type: 'unknown' };
    if (n % 3 === 1) return { type: 'order', n };
    const at = n === 3 ? 0 : nowMs - n;
    return { type: 'click', n, user: `user ${n}`, at, meta: { id: `id-${n}` } };
  });
  const response = await fetch(`${gateway.httpUrl}/events?records=1`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Forebay-Resent': '1' },
    body: JSON.stringify(events),
  });
  assert.equal(response.status, 207);
  const text = await response.text();
  assert.equal(text.includes(clicks) || text.includes(orders), false, 'no topic is named');
  const { accepted, records } = JSON.parse(text) as {
    accepted: number;
    records: readonly StoredRecord[];
  };
  assert.equal(accepted, events.length - 1);
  const shown = events.map((_, n) => n).filter((n) => n !== 2);
  assert.deepEqual(
    records.map(({ event }) => event),
    shown.slice(0, LIMITS.shownRecords.count),
  );
  const inKafka = await readBack(accepted);
  for (const { event, ...record } of records) {
    const stored = inKafka.get(event)!;
    assert.deepEqual(record, stored, `event ${event}`);
    assert.deepEqual(Object.keys(record.headers), Object.keys(stored.headers), `event ${event}`);
  }
  const [first, second, third] = records;
  assert.equal(first?.timestamp, nowMs);
  assert.equal(first?.headers['fb-id'], 'id-0');
  assert.equal(first?.headers['fb-resent'], '1');
  assert.deepEqual([second?.key, second?.headers], [null, {}]);
  assert.equal(third?.headers['fb-time'], 'arrival', 'its own time is too old');
});

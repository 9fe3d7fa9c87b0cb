/** Order: events of one connection with one key are stored in their order of arrival. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AcknowledgedClient } from '../../testing/client.ts';
import { describeReconciliation, Ledger } from '../../testing/ledger.ts';
import { PlainClient } from '../../testing/plain-client.ts';
import type { TestEvent } from '../../testing/socket.ts';
import { accountOf, Tally } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { useStage } from '../support/use-stage.ts';

const CONNECTIONS = 3;
const EVENTS = 4_000;
const KEYS = 40;
/** Events per frame, and bytes per message: small batches, full batches, split frames. */
const FRAME_EVENTS = [1, 3, 1, 50, 7, 1, 200];
const MSG_BYTES = [0, 20, 5, 600, 50, 3_000];

// Batches close by size and by time, so that a key's events span many of them.
const stage = useStage({
  partitions: 5,
  env: { KAFKA_BATCH_BYTES: '16384', KAFKA_LINGER_MS: '2' },
});
const tally = new Tally();

/** Returns the events of one connection; all connections use the same keys. */
function* events(name: string): Generator<TestEvent> {
  for (let index = 0; index < EVENTS; index++) {
    const clientId = `key ${(index * 17 + (index % 11)) % KEYS}`;
    const msg = 'm'.repeat(MSG_BYTES[index % MSG_BYTES.length]!);
    yield { id: `${name}-${index}`, clientId, msg, timestamp: index };
  }
}

/** Returns the events in frames of mixed sizes, within the bound of a frame. */
function frames(name: string): TestEvent[][] {
  const found: TestEvent[][] = [];
  let frame: TestEvent[] = [];
  let bytes = 0;
  for (const event of events(name)) {
    const size = JSON.stringify(event).length + 20;
    if (frame.length === FRAME_EVENTS[found.length % 7] || bytes + size > 60_000) {
      found.push(frame);
      [frame, bytes] = [[], 0];
    }
    frame.push(event);
    bytes += size;
  }
  return [...found, frame];
}

test('order per connection and key, over three connections that share keys', async () => {
  const ledger = new Ledger();
  const names = Array.from({ length: CONNECTIONS }, (_, index) => `c${index}`);
  const clients = await Promise.all(
    names.map((name) => new AcknowledgedClient({ url: stage.gateway.wsUrl, name, ledger }).open()),
  );
  for (const client of clients) {
    for (const frame of frames(names[clients.indexOf(client)]!)) client.send(...frame);
  }
  await Promise.all(clients.map((client) => client.settled(30_000)));
  const records = await stage.newRecords();
  const verdict = ledger.reconcile(records);
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  assert.equal(verdict.acknowledged, CONNECTIONS * EVENTS);
  assert.equal(records.length, CONNECTIONS * EVENTS);
  // The check is only meaningful if connections were mixed within partitions.
  const turns = records.filter((record, index) => {
    const before = records[index - 1];
    return String(before?.value).slice(7, 9) !== String(record.value).slice(7, 9);
  });
  assert(turns.length > 50, `connections took turns ${turns.length} times`);
  for (const client of clients) {
    assert.deepEqual(client.violations, []);
    await client.close();
  }
  tally.ws(records.length);
});

test('order holds for plain connections, and between batches of rejected frames', async () => {
  const ledger = new Ledger();
  const client = await new PlainClient({ url: stage.gateway.wsUrl, ledger }).open();
  const sent = frames('plain').slice(0, 100);
  for (const frame of sent) {
    client.send(...frame);
    client.socket.send('{"bad":');
  }
  const count = sent.flat().length;
  const records = await stage.newRecords();
  await until(
    async () => records.push(...(await stage.newRecords())) >= 0 && records.length >= count,
    {
      what: `${count} records`,
    },
  );
  const verdict = ledger.reconcile(records);
  assert(verdict.clean, describeReconciliation(verdict).join('\n'));
  assert.equal(verdict.stored, count);
  assert.deepEqual(client.received, []);
  await client.close();
  tally.ws(count, { invalid_json: sent.length });
});

test('all events are accounted for', async () => {
  assert.deepEqual(await accountOf(stage.gateway), tally.account);
});

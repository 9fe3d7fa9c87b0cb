/** The producer of `forebay micro`: results of batches as Kafka's producer reports them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { KIB } from '../../src/config/limits.ts';
import { event, openStand } from './stand.ts';

test('an event is stored when it is in the log, with its key, partition and offset', async () => {
  const { send, results, entries, producer, budget } = openStand();
  send(`[${event('one')},${event('two', 'you')},${event('three')}]`);
  assert.deepEqual(results, []);
  assert.equal(producer.settled, false);
  await turn();
  assert.deepEqual(results.toSorted(), ['0 settled', '1 settled', '2 settled']);
  assert.equal(producer.settled, true);
  const stored = entries();
  const byKey = (key: string) => stored.filter((entry) => entry.key === key);
  assert.deepEqual(
    byKey('me').map(({ offset, value }) => [offset, (value as { msg: string }).msg]),
    [
      [0, 'one'],
      [1, 'three'],
    ],
  );
  assert.equal(byKey('you').length, 1);
  for (const { topic, stream, outcome, transport } of stored) {
    const place = { topic, stream, outcome, transport };
    const name = { topic: 'event_topic_newer', stream: 'default' };
    assert.deepEqual(place, { ...name, outcome: 'stored', transport: 'http' });
  }
  assert.equal(budget.eventBytes, 0);
});

test('a rejection is in the log with its code and the event, but takes no offset', async () => {
  const { send, entries, results } = openStand();
  send(`[${event('one')},{"msg":7,"clientId":"me","timestamp":1}]`);
  await turn();
  send('[{"msg":');
  await turn();
  assert.deepEqual(results, ['1 schema', '0 settled', 'all invalid_json']);
  const [rejected, frame] = entries().filter(({ outcome }) => outcome === 'rejected');
  assert.deepEqual(
    [rejected!.stream, rejected!.code, rejected!.message, rejected!.events],
    ['default', 'schema', '/msg must be string', 1],
  );
  assert.deepEqual(rejected!.value, { msg: 7, clientId: 'me', timestamp: 1 });
  assert.deepEqual([frame!.code, frame!.events, frame!.value], ['invalid_json', 1, undefined]);
});

test('at the bound, events that fit are stored and all others get buffer_full', async () => {
  const { send, results, entries, log, lines } = openStand({ log: { maxBytes: 2 * KIB } });
  const sent = Array.from({ length: 40 }, (_, index) => event(`event ${index}`));
  send(`[${sent.join(',')}]`);
  await turn();
  const full = results.filter((result) => result.endsWith('buffer_full')).length;
  const stored = entries().filter(({ outcome }) => outcome === 'stored');
  assert(stored.length > 0 && full > 0, results.join());
  assert.equal(stored.length + full, sent.length);
  // Each result once: a rejected event is settled too.
  assert.equal(results.filter((result) => result.endsWith('settled')).length, sent.length);
  assert.deepEqual(
    stored.map(({ value }) => JSON.stringify(value)),
    sent.slice(0, stored.length),
  );
  assert.deepEqual(log.counts('default'), {
    stored: stored.length,
    rejected: full,
    dead_letter: 0,
  });
  assert.equal(lines[0]?.message, 'event log is full');
  log.reset();
  results.length = 0;
  send(event('after the reset'));
  await turn();
  assert.deepEqual(results, ['0 settled']);
});

test('streams with one topic have logs of their own, and dead letters that of their stream', async () => {
  const { send, entries, log } = openStand({
    streams: {
      clicks: { topic: 'web', key: [['user']], deadLetter: 'rejected', plain: 'accept' },
      views: { topic: 'web', key: [['user']] },
      rejected: { internal: true, topic: 'web.rejected' },
    },
  });
  send('{"user":"u1","n":1}', 'clicks');
  send('{"user":"u1","n":2}', 'views');
  send('[{"user":"u1","n":3},7]', 'clicks');
  await turn();
  await turn();
  const shown = (stream: string) =>
    entries(stream).map(({ outcome, topic, offset, value }) => [outcome, topic, offset, value]);
  assert.deepEqual(shown('clicks').toSorted(), [
    ['rejected', undefined, undefined, undefined],
    ['stored', 'web', 0, { user: 'u1', n: 1 }],
    ['stored', 'web', 2, { user: 'u1', n: 3 }],
  ]);
  assert.deepEqual(shown('views'), [['stored', 'web', 1, { user: 'u1', n: 2 }]]);
  assert.deepEqual(shown('rejected'), [['dead_letter', 'web.rejected', 0, 7]]);
  const [letter] = entries('rejected');
  const { 'fb-error-code': code, 'fb-stream': stream } = letter!.headers as Record<string, string>;
  assert.deepEqual([code, stream], ['not_an_object', 'clicks']);
  assert.deepEqual(log.counts(), { stored: 3, rejected: 1, dead_letter: 1 });
});

test('held batches wait until their topic is released, and a removed topic leaves nothing', async () => {
  const { send, results, producer, topics } = openStand();
  const [topic] = topics;
  topic!.hold(topic!);
  send(event('held'));
  await turn();
  assert.deepEqual(results, []);
  let walked = 0;
  producer.walk(() => walked++);
  assert.equal(walked, 1);
  topic!.release(topic!);
  producer.resume();
  await turn();
  assert.deepEqual(results, ['0 settled']);
  producer.removeTopic(topic!);
  assert.deepEqual([topics.length, topic!.partitions.length], [0, 0]);
});

test('it is reached at its start, and reports that events can be stored', () => {
  const { producer, reached } = openStand();
  assert.equal(reached(), 0);
  producer.start();
  assert.equal(reached(), 1);
  const { unreachableMs, stuckMs, partitions } = producer.delivery(performance.now());
  assert.deepEqual([unreachableMs, stuckMs, partitions], [0, 0, 3]);
});

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { encode } from '@msgpack/msgpack';
import { startCluster } from '../../../deploy/kafka/cluster.ts';
import { REPLAY_LIMITS } from '../../../src/cli/replay/limits.ts';
import { loadState } from '../../../src/cli/replay/state-file.ts';
import { StateLock } from '../../../src/common/state-lock.ts';
import { hasHeader, lastHeader } from '../../../src/kafka/record-headers.ts';
import { Child } from '../../../testing/child.ts';
import { startGateway } from '../../../testing/gateway.ts';
import { sharedKafka, uniqueTopic } from '../../../testing/kafka.ts';
import { SeededRandom } from '../../../testing/random.ts';
import {
  createTopic,
  readTopic,
  recreateTopic,
  type TopicRecord,
  testKafka,
} from '../../../testing/topic.ts';
import { until } from '../../../testing/wait.ts';
import { producerOf } from '../listen/listener.ts';
import { letterHeaders } from './letters.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-replay-'));
const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
  rmSync(folder, { recursive: true });
});

const KILLS = 20;
const KEYS = 50;
/** Letters that pass, and others in between: one of ten each. */
const STRICT = '{ "properties": { "a": { "type": "integer" } } }';
const RELAXED = '{ "properties": { "a": { "type": ["integer", "string"] } } }';

/** Topics, a stream file and a state file for the dead letters of `clicks`. */
class Stand {
  readonly brokers: readonly string[];
  readonly clicks = uniqueTopic('clicks');
  readonly rejected = uniqueTopic('rejected');
  readonly streams = join(mkdtempSync(join(folder, 'stand-')), 'streams.yaml');
  readonly state = `${this.streams}.state`;

  constructor(brokers: readonly string[]) {
    this.brokers = brokers;
  }

  /** @param more properties of the stream `clicks`, a line each */
  async open(more = 'headers: [received, event-id, resent, identity, transport]'): Promise<this> {
    const { brokers } = this;
    await createTopic({ brokers, topic: this.clicks }, { numPartitions: 4 });
    await createTopic({ brokers, topic: this.rejected }, { numPartitions: 3 });
    this.setSchema(STRICT);
    writeFileSync(
      this.streams,
      `version: 1
defaults: { deadLetter: rejected }
streams:
  clicks:
    topic: ${this.clicks}
    schema: { file: click.json }
    key: { field: clientId }
    ${more}
  orders: { topic: ${this.clicks} }
  rejected: { topic: ${this.rejected}, internal: true }
`,
    );
    return this;
  }

  setSchema(text: string): void {
    writeFileSync(join(this.streams, '..', 'click.json'), text);
  }

  /** Writes dead letters: number i has the key i mod KEYS, and one of ten does not pass. */
  async write(letters: number): Promise<void> {
    const producer = producerOf(this.brokers);
    await producer.connect();
    // Kafka removes records with older timestamps than its retention.
    const timestamp = Date.now();
    const messages = Array.from({ length: letters }, (_, number) => {
      const clientId = `c${number % KEYS}`;
      const identity = number % 2 === 0 ? 'even' : 'odd';
      const a = isValid(number) ? number : 'no number';
      return {
        key: clientId,
        value: JSON.stringify({ id: `e${number}`, clientId, number, a }),
        headers: letterHeaders({ timestamp, headers: { 'fb-identity': identity } }),
      };
    });
    for (let at = 0; at < letters; at += 1_000) {
      await producer.send({ topic: this.rejected, messages: messages.slice(at, at + 1_000) });
    }
    await producer.disconnect();
  }

  replay(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}): Child {
    const options = ['--from', 'rejected', '--stream', 'clicks', '--state', this.state, '--json'];
    const child = new Child('dist/main.js', ['replay', ...options, ...args], {
      KAFKA_BROKERS: this.brokers.join(','),
      FOREBAY_STREAMS_FILE: this.streams,
      ...env,
    });
    children.push(child);
    return child;
  }

  /** Runs a replay to its end. @returns its exit code and report */
  async run(args: readonly string[] = [], env: Readonly<Record<string, string>> = {}) {
    const child = this.replay(args, env);
    const { code } = await child.ended;
    assert.ok(child.stdout !== '', child.stderr);
    return { code, report: JSON.parse(child.stdout) as Record<string, unknown> };
  }

  /** Size of the state file, bytes. */
  get stateBytes(): number {
    return existsSync(this.state) ? statSync(this.state).size : 0;
  }

  /** Replayed records by the number of their event. */
  async stored(): Promise<Map<number, TopicRecord[]>> {
    const byNumber = new Map<number, TopicRecord[]>();
    for (const record of await readTopic({ brokers: this.brokers, topic: this.clicks })) {
      const { number } = JSON.parse(String(record.value)) as { number: number };
      byNumber.set(number, [...(byNumber.get(number) ?? []), record]);
    }
    return byNumber;
  }
}

function isValid(number: number): boolean {
  return number % 10 !== 9;
}

function isMarked({ headers = [] }: TopicRecord): boolean {
  return hasHeader(headers, 'fb-resent');
}

/** Events are stored without unmarked repeats, and those of a key in order. */
function assertReplayed(stored: ReadonlyMap<number, TopicRecord[]>, letters: number): void {
  const last = new Map<string, { number: number; partition: number; offset: number }>();
  for (let number = 0; number < letters; number++) {
    const records = stored.get(number) ?? [];
    assert.equal(records.length > 0, isValid(number), `event ${number}`);
    if (records.length === 0) continue;
    const unmarked = records.filter((record) => !isMarked(record));
    assert.ok(unmarked.length <= 1, `event ${number} has ${unmarked.length} unmarked copies`);
    const [first] = records;
    const key = String(first!.key);
    const before = last.get(key);
    const { partition, offset } = first!;
    if (before !== undefined) {
      assert.equal(partition, before.partition);
      assert.ok(offset > before.offset, `event ${number} of ${key} is before ${before.number}`);
    }
    last.set(key, { number, partition, offset });
  }
  const origins = [...stored.values()].map(
    (records) => new Set(records.map(({ headers = [] }) => headers.at(-1)?.name)),
  );
  assert.ok(
    origins.every((names) => names.size === 1 && names.has('fb-replayed')),
    'the last header is fb-replayed',
  );
}

test('killed 20 times, a replay stores every event that passes, without unmarked repeats', async () => {
  const stand = await new Stand((await sharedKafka()).brokers).open();
  const letters = 12_000;
  await stand.write(letters);
  const random = new SeededRandom(Date.now(), 'kills');
  let inDoubt = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const before = stand.stateBytes;
    const child = stand.replay(['--rate', '1000']);
    const bytes = before + random.int(1, 1_000);
    await until(() => stand.stateBytes > bytes || child.process.exitCode !== null, {
      everyMs: 5,
      what: () => `a growing state file; it says ${child.stderr}`,
    });
    await new Promise((resolve) => setTimeout(resolve, random.int(0, 150)));
    child.process.kill('SIGKILL');
    assert.deepEqual(await child.ended, { code: null, signal: 'SIGKILL' }, child.stderr);
    const { open, done } = loadState(stand.state).offsets;
    assert.ok(done.size < letters * 0.9, 'it was killed in the middle');
    assert.ok(open.size <= REPLAY_LIMITS.window, `${open.size} may have been stored`);
    inDoubt += open.size;
  }
  assert.ok(inDoubt > 0, 'it was killed with events in flight');
  const { code, report } = await stand.run();
  assert.equal(code, 3);
  assert.deepEqual(
    { failing: report.failing, otherStream: report.otherStream, complete: report.complete },
    { failing: letters / 10, otherStream: 0, complete: true },
  );
  const stored = await stand.stored();
  assertReplayed(stored, letters);
  const records = [...stored.values()].flat();
  const marked = records.filter(isMarked).length;
  assert.ok(marked <= KILLS * REPLAY_LIMITS.window, `${marked} marked`);
  assert.ok(records.length - stored.size <= marked, 'only marked ones are repeats');

  const again = await stand.run();
  const { replayed, alreadyReplayed } = again.report;
  assert.deepEqual([again.code, replayed, alreadyReplayed], [3, 0, letters * 0.9]);
  assert.equal((await stand.stored()).size, stored.size);

  // Those that did not pass can be replayed after the next change of the schema.
  stand.setSchema(RELAXED);
  const dry = await stand.run(['--dry-run', '--identity', 'odd', '--code', 'schema']);
  assert.deepEqual([dry.code, dry.report.passing], [0, letters / 10]);
  const relaxed = await stand.run();
  assert.deepEqual(
    [relaxed.code, relaxed.report.replayed, relaxed.report.marked],
    [0, letters / 10, 0],
  );
  const after = await stand.stored();
  assert.equal(after.size, letters);
  assert.deepEqual(after.get(9)?.map(isMarked), [false]);
});

test('records are as the gateway would have stored them; what cannot be replayed is counted', async () => {
  const stand = await new Stand((await sharedKafka()).brokers).open();
  const producer = producerOf(stand.brokers);
  await producer.connect();
  const arrival = Date.now() - 3_600_000;
  const letter = (
    facts: Parameters<typeof letterHeaders>[0],
    value = '{"clientId":"ann","id":"e1"}',
  ) => ({
    key: null,
    value,
    partition: 1,
    timestamp: String(arrival),
    headers: letterHeaders({ timestamp: arrival, ...facts }),
  });
  const headers = { 'fb-identity': 'shop', 'fb-resent': '1', 'fb-request': 'r1' };
  await producer.send({
    topic: stand.rejected,
    messages: [
      letter({ headers }),
      letter({ headers: { 'fb-truncated': '70000' } }),
      letter({ stream: 'orders' }),
      letter({ code: 'invalid_json', index: undefined }, '{'),
      letter({ code: 'unknown_stream', stream: undefined }),
      letter({}, '{"a":"x"}'),
    ],
  });
  await producer.disconnect();
  const { code, report } = await stand.run();
  const { replayed, otherStream, failures, notReplayable } = report;
  assert.deepEqual(
    { code, replayed, otherStream, notReplayable },
    {
      code: 3,
      replayed: 1,
      otherStream: 2,
      notReplayable: { truncated: 1, undecodable: 1, empty: 0 },
    },
  );
  assert.deepEqual(failures, [{ code: 'schema', message: '/a must be integer', count: 1 }]);
  const admin = testKafka(stand.brokers).admin();
  await admin.connect();
  // kafkajs deletes only where it has asked for the offsets before.
  await admin.fetchTopicOffsets(stand.rejected);
  const partitions = [{ partition: 1, offset: '2' }];
  await admin.deleteTopicRecords({ topic: stand.rejected, partitions });
  await admin.disconnect();
  assert.deepEqual(report.state, { path: stand.state, isNew: true });
  const one = await stand.run(['--dry-run', '--partition', '1', '--offset', '0-2']);
  assert.deepEqual([one.report.read, one.report.removed, one.code], [1, 2, 0]);
  assert.deepEqual(one.report.state, { path: stand.state, isNew: false });
  const [record] = await readTopic({ brokers: stand.brokers, topic: stand.clicks });
  assert.equal(String(record?.value), '{"clientId":"ann","id":"e1"}');
  assert.equal(String(record?.key), 'ann');
  assert.equal(record?.timestamp, arrival);
  assert.deepEqual(
    record?.headers?.map(({ name }) => [name, lastHeader(record.headers!, name)]),
    [
      ['fb-received', String(arrival)],
      ['fb-id', 'e1'],
      ['fb-resent', '1'],
      ['fb-identity', 'shop'],
      ['fb-transport', 'ws'],
      ['fb-replayed', '1:0'],
    ],
  );
});

test('a replayed event equals the one that the gateway stores after the change of the schema', async () => {
  const facts =
    'traceparent, request-id, stream, schema, transport, instance, client-ip, user-agent';
  const stand = await new Stand((await sharedKafka()).brokers).open(
    `headers: [received, event-id, resent, ${facts}]\n    time: { field: at }\n    value: as-sent`,
  );
  const { brokers } = stand;
  const env = { FOREBAY_STREAMS_FILE: stand.streams, FOREBAY_INSTANCE: 'one' };
  const gateway = await startGateway({ brokers, topic: stand.clicks, env });
  try {
    const at = Date.now() - 1_000;
    const eventOf = (clientId: string) => ({ id: 'e1', clientId, at, a: 'x' });
    const post = async (contentType: string, bytes: Uint8Array) => {
      const body = new Uint8Array(bytes);
      const headers = {
        'Content-Type': contentType,
        'User-Agent': 'test',
        traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      };
      return (await fetch(`${gateway.httpUrl}/events/clicks`, { method: 'POST', headers, body }))
        .status;
    };
    const all = async () => [
      await post('application/json', Buffer.from(JSON.stringify(eventOf('json')))),
      await post('application/msgpack', encode(eventOf('msgpack'))),
    ];
    assert.deepEqual(await all(), [400, 400]);
    await until(async () => (await readTopic({ brokers, topic: stand.rejected })).length === 2, {
      everyMs: 100,
      what: 'dead letters',
    });
    assert.equal((await stand.run(['--dry-run'])).code, 3);
    stand.setSchema(RELAXED);
    await until(async () => (await all()).every((status) => status === 200), {
      everyMs: 200,
      what: 'a reload of the schema',
    });
    assert.equal((await stand.run()).code, 0);
    const records = await readTopic({ brokers, topic: stand.clicks });
    const isReplayed = ({ headers = [] }: TopicRecord) => hasHeader(headers, 'fb-replayed');
    for (const client of ['json', 'msgpack']) {
      const mine = records.filter(({ key }) => String(key) === client);
      const replayed = mine.filter(isReplayed);
      const expected = mine.find((record) => !isReplayed(record));
      // More were rejected until the reload.
      assert.ok(replayed.length > 0 && expected !== undefined);
      for (const record of replayed) {
        assert.deepEqual(contentOf(record), contentOf(expected));
        assert.equal(record.headers?.at(-1)?.name, 'fb-replayed');
      }
    }
  } finally {
    await gateway.stop();
  }
});

/** A record without what differs by request and replay. */
function contentOf({ partition, timestamp, value, headers = [] }: TopicRecord) {
  const differing = ['fb-received', 'fb-request', 'fb-replayed'];
  const kept = headers.filter(({ name }) => !differing.includes(name));
  return {
    partition,
    timestamp,
    value: value?.toString('hex'),
    headers: kept.map(({ name, value: text }) => `${name}=${text}`),
    names: headers.map(({ name }) => name).filter((name) => name !== 'fb-replayed'),
  };
}

/** Exit code and last line of stderr; warnings are before it. */
function lastLine(code: number | null, { stderr }: Child): string {
  return `${code} ${stderr.trim().split('\n').at(-1)}`;
}

test('wrong streams, a lock and a recreated topic end it before it produces anything', async () => {
  const stand = await new Stand((await sharedKafka()).brokers).open();
  await stand.write(20);
  const failure = async (args: readonly string[]) => {
    const child = stand.replay(args);
    const { code } = await child.ended;
    return lastLine(code, child);
  };
  const other = (from: string, stream: string) => {
    const child = new Child('dist/main.js', ['replay', '--from', from, '--stream', stream], {
      KAFKA_BROKERS: stand.brokers.join(','),
      FOREBAY_STREAMS_FILE: stand.streams,
    });
    children.push(child);
    return child.ended.then(({ code }) => lastLine(code, child));
  };
  assert.match(await other('clicks', 'orders'), /^2 .*--from: the stream "clicks" is not internal/);
  assert.match(
    await other('rejected', 'rejected'),
    /^2 .*--stream: the stream "rejected" is intern/,
  );
  assert.match(await other('rejected', 'click'), /^2 .*no stream "click"; did you mean clicks\?$/);
  assert.match(await failure(['--partition', '9']), /^2 .*partition 9 does not exist: .* 0 to 2$/);

  const lock = new StateLock(`${stand.state}.lock`);
  assert.match(
    await failure([]),
    /^1 forebay: replay: process \d+ is replaying with this state file$/,
  );
  lock.release();
  assert.equal((await stand.run()).report.replayed, 18);
  await recreateTopic({ brokers: stand.brokers, topic: stand.rejected }, 3);
  await stand.write(40);
  assert.match(
    await failure([]),
    /^1 .* was deleted and created again after the state file .*--state$/,
  );
  assert.match(await failure(['--dry-run']), /^1 .* was deleted and created again after the state/);
  assert.equal((await readTopic({ brokers: stand.brokers, topic: stand.clicks })).length, 18);
});

test('an outage of Kafka ends it with 1, Ctrl-C too once all is confirmed; both can be resumed', async () => {
  const cluster = await startCluster({});
  try {
    const stand = await new Stand(cluster.brokers).open();
    const letters = 3_000;
    await stand.write(letters);
    const { state } = stand;
    const begun = (child: Child, from: number) =>
      until(() => stand.stateBytes > from || child.process.exitCode !== null, {
        everyMs: 5,
        what: () => `a growing state file; it says ${child.stderr}`,
      });
    const impatient = { FOREBAY_EVENT_TIMEOUT_MS: '3000' };
    const interrupted = stand.replay(['--rate', '500'], impatient);
    await begun(interrupted, 1_000);
    interrupted.process.kill('SIGINT');
    assert.equal((await interrupted.ended).code, 1, interrupted.stderr);
    assert.equal(loadState(state).offsets.open.size, 0);
    assert.ok(!existsSync(`${state}.lock`), 'the lock is released');

    const stopped = stand.replay(['--rate', '500'], impatient);
    await begun(stopped, stand.stateBytes + 100);
    await cluster.stop(0);
    assert.equal((await stopped.ended).code, 1);
    assert.match(stopped.stderr, /has confirmed nothing for 3 s; run it again to resume/);
    await cluster.restart(0);

    const { code, report } = await stand.run();
    assert.deepEqual([code, report.failing], [3, letters / 10]);
    assertReplayed(await stand.stored(), letters);
  } finally {
    await cluster.close();
  }
});

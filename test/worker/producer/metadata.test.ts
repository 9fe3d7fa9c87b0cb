import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Topic } from '../../../src/worker/accumulator/topic.ts';
import type { ClusterMetadata } from '../../../src/worker/producer/kafkajs.ts';
import { type Address, type BrokerLink, LinkError } from '../../../src/worker/producer/link.ts';
import { Metadata } from '../../../src/worker/producer/metadata.ts';
import type { Api } from '../../../src/worker/producer/protocol.ts';
import { INIT_PRODUCER_ID, type ProducerIdAnswer } from '../../../src/worker/producer/protocol.ts';
import { until } from '../../../testing/wait.ts';
import { recordFaults } from '../faults.ts';

const BOOTSTRAP = { host: '127.0.0.1', port: 9092 };

/** One broker that leads the topic's only partition, or returns an error for the topic. */
function cluster(topicErrorCode: number): ClusterMetadata {
  const partitionMetadata = [{ partitionErrorCode: 0, partitionId: 0, leader: 1 }];
  return {
    brokers: [{ nodeId: 1, ...BOOTSTRAP }],
    topicMetadata: [{ topicErrorCode, topic: 'events', partitionMetadata }],
  };
}

/**
 * Runs the loop against such a broker; `producerIds` are the error codes of its answers in order.
 * @param silent it does not answer: requests fail when the link is closed
 */
function ask({ topicErrorCode = 0, producerIds = [] as number[], silent = false }) {
  const { faults, lines } = recordFaults();
  const reasons: string[] = [];
  const answers = [...producerIds];
  let asked = false;
  let closed = () => {};
  const link: BrokerLink = {
    idle: true,
    usable: true,
    supports: () => false,
    open: async () => {},
    request: async <T>(api: Api) => {
      asked = true;
      if (silent) {
        return new Promise<T>((_, reject) => {
          closed = () => reject(new LinkError('closed', 'closed'));
        });
      }
      if (api !== INIT_PRODUCER_ID) return cluster(topicErrorCode) as T;
      const answer: ProducerIdAnswer = { errorCode: answers.shift()!, producerId: 7n, epoch: 0 };
      return answer as T;
    },
    close: () => closed(),
  };
  const metadata = new Metadata([new Topic('events')], [BOOTSTRAP], () => link, faults, {
    changed: () => {},
    topicMissing: () => {},
    answered: () => {},
    topicFailed: (_topic, why) => reasons.push(why),
    producerIdFailed: (errorCode) => reasons.push(`producer id: ${errorCode}`),
    failed: (_address, error) => reasons.push(error.message),
  });
  const ended = metadata.run();
  const stop = async () => {
    metadata.stop();
    await ended;
  };
  return { metadata, lines, reasons, stop, wasAsked: () => asked };
}

/** Obtains a producer id and returns the lines logged until then. */
async function linesUntilProducerId(...producerIds: number[]) {
  const { metadata, lines, stop } = ask({ producerIds });
  const { producerId } = await new Promise<ProducerIdAnswer>((resolve) => {
    metadata.requestProducerId(resolve, () => true);
  });
  assert.equal(producerId, 7n);
  await stop();
  return lines.map(({ level, error, errorCode }) => ({ level, error, errorCode }));
}

const [INFO, WARN] = ['info', 'warn'];

test('a coordinator that is not ready yet is normal, and is named', async () => {
  assert.deepEqual(await linesUntilProducerId(15, 14, 14, 16, 0), [
    { level: INFO, error: 'COORDINATOR_NOT_AVAILABLE', errorCode: 15 },
    { level: INFO, error: 'COORDINATOR_LOAD_IN_PROGRESS', errorCode: 14 },
    { level: INFO, error: 'NOT_COORDINATOR', errorCode: 16 },
  ]);
});

test('a coordinator that is not ready for a long time is a warning', async (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => {
    now += 4_000;
    return now;
  });
  const levels = (await linesUntilProducerId(14, 14, 14, 14, 0)).map(({ level }) => level);
  assert.deepEqual([...new Set(levels)], [INFO, WARN]);
});

test('any other error for a producer id is a warning', async () => {
  assert.deepEqual(await linesUntilProducerId(31, 0), [
    { level: WARN, error: 'CLUSTER_AUTHORIZATION_FAILED', errorCode: 31 },
  ]);
});

test('a stop during a round ends it, and no other follows', async () => {
  const { stop, wasAsked } = ask({});
  assert(!wasAsked(), 'its first round has started, and has no response');
  await stop();
});

test('a link closed by the stop does not count as a broker failure', async () => {
  const { lines, reasons, stop, wasAsked } = ask({ silent: true });
  await until(wasAsked);
  await stop();
  assert.deepEqual([lines, reasons], [[], []]);
});

test('the topic’s error is reported by name', async () => {
  const { reasons, stop } = ask({ topicErrorCode: 29 });
  await until(() => reasons.length > 0);
  await stop();
  assert.equal(reasons[0], 'Kafka answers TOPIC_AUTHORIZATION_FAILED for the topic');
});

/** Three brokers that agree on a partition without a leader: requests repeat. */
function leaderless(t: TestContext) {
  const addresses = [1, 2, 3].map((nodeId) => ({ nodeId, host: '127.0.0.1', port: 9090 + nodeId }));
  const view: ClusterMetadata = {
    ...cluster(0),
    brokers: addresses,
    topicMetadata: [
      {
        topicErrorCode: 0,
        topic: 'events',
        partitionMetadata: [{ partitionErrorCode: 5, partitionId: 0, leader: -1 }],
      },
    ],
  };
  /** Ports in the order of links, of requests, and of closed links. */
  const linked: number[] = [];
  const asked: number[] = [];
  const closed: number[] = [];
  const opened = new Set<number>();
  /** Links to these ports are lost. */
  const lost = new Set<number>();
  const open = new Map<number, () => Promise<void>>();
  const createLink = ({ port }: Address): BrokerLink => {
    linked.push(port);
    return {
      idle: true,
      supports: () => false,
      get usable() {
        return opened.has(port) && !lost.has(port);
      },
      open: async () => {
        await open.get(port)?.();
        opened.add(port);
      },
      request: async <T>() => {
        asked.push(port);
        return view as T;
      },
      close: () => {
        opened.delete(port);
        closed.push(port);
      },
    };
  };
  const metadata = new Metadata(
    [new Topic('events')],
    addresses.slice(0, 1),
    createLink,
    recordFaults().faults,
    {
      changed: () => {},
      topicMissing: () => {},
      answered: () => {},
      topicFailed: () => {},
      producerIdFailed: () => {},
      failed: () => {},
    },
  );
  const ended = metadata.run();
  t.after(async () => {
    metadata.stop();
    await ended;
  });
  /** Triggers requests until the condition holds. */
  const untilAsking = (condition: () => boolean) =>
    until(
      () => {
        metadata.refreshNow();
        return condition();
      },
      { everyMs: 1 },
    );
  return { metadata, linked, asked, closed, open, lost, untilAsking };
}

test('a broker that accepts connections without responding is not waited for: the current one stays', async (t) => {
  const { linked, asked, closed, open, untilAsking } = leaderless(t);
  let refuse = (_error: Error) => {};
  open.set(9092, () => new Promise((_, reject) => (refuse = reject)));
  await untilAsking(() => linked.includes(9092));
  const before = asked.length;
  await untilAsking(() => asked.length > before + 5);
  assert.deepEqual([new Set(asked), closed], [new Set([9091]), []]);
  refuse(new LinkError('connection', 'silent'));
  await untilAsking(() => asked.includes(9093));
  assert.deepEqual([linked.slice(0, 3), closed], [[9091, 9092, 9093], [9091]]);
});

test('a link opened as the next one and lost before is opened again', async (t) => {
  const { linked, asked, lost, untilAsking } = leaderless(t);
  lost.add(9092);
  await untilAsking(() => new Set(asked).size > 1);
  assert.deepEqual(linked.slice(0, 3), [9091, 9092, 9093]);
  assert.deepEqual(new Set(asked), new Set([9091, 9093]));
});

test('the current link is lost while another one is open: the other one is used', async (t) => {
  const { linked, asked, lost, open, untilAsking } = leaderless(t);
  open.set(9092, async () => {
    lost.add(9091);
  });
  await untilAsking(() => asked.includes(9092));
  assert.deepEqual(linked, [9091, 9092]);
});

test('a broker that failed recently is selected last', async (t) => {
  const { linked, open, untilAsking } = leaderless(t);
  open.set(9092, () => Promise.reject(new LinkError('connection', 'refused')));
  await untilAsking(() => linked.filter((port) => port === 9092).length === 1);
  const from = linked.length;
  await untilAsking(() => linked.length > from + 6);
  assert.deepEqual(new Set(linked.slice(from)), new Set([9091, 9093]));
});

test('while a leader is unreachable, requests become less frequent, down to one per second', (t) => {
  const { metadata } = leaderless(t);
  const refresh = t.mock.method(metadata, 'refresh');
  const asked: number[] = [];
  for (let nowMs = 1_000; nowMs <= 6_000; nowMs += 100) {
    const before = refresh.mock.callCount();
    metadata.leadersUnreachable(true, nowMs);
    if (refresh.mock.callCount() > before) asked.push(nowMs);
  }
  assert.deepEqual(asked, [1_000, 1_100, 1_300, 1_700, 2_500, 3_500, 4_500, 5_500]);
  metadata.leadersUnreachable(false, 6_000);
  metadata.leadersUnreachable(true, 6_000);
  assert.equal(refresh.mock.callCount(), asked.length + 1, 'the next time at once');
});

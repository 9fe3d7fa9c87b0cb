import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { ClusterMetadata } from '../../../src/worker/producer/kafkajs.ts';
import type { Api, BrokerLink } from '../../../src/worker/producer/link.ts';
import { Metadata } from '../../../src/worker/producer/metadata.ts';
import { INIT_PRODUCER_ID, type ProducerIdAnswer } from '../../../src/worker/producer/protocol.ts';
import { until } from '../../support/wait.ts';

const BOOTSTRAP = { host: '127.0.0.1', port: 9092 };

/** One broker that leads the topic's only partition, or knows the topic by an error. */
function cluster(topicErrorCode: number): ClusterMetadata {
  const partitionMetadata = [{ partitionErrorCode: 0, partitionId: 0, leader: 1 }];
  return {
    brokers: [{ nodeId: 1, ...BOOTSTRAP }],
    clusterId: 'test',
    topicMetadata: [{ topicErrorCode, topic: 'events', partitionMetadata }],
  };
}

/** Asks a broker that answers so; `producerIds` are the error codes of its answers in turn. */
function ask({ topicErrorCode = 0, producerIds = [] as number[] }) {
  const lines: Record<string, unknown>[] = [];
  const reasons: string[] = [];
  const answers = [...producerIds];
  const link: BrokerLink = {
    idle: true,
    usable: true,
    open: async () => {},
    request: async <T>(api: Api) => {
      if (api !== INIT_PRODUCER_ID) return cluster(topicErrorCode) as T;
      const answer: ProducerIdAnswer = { errorCode: answers.shift()!, producerId: 7n, epoch: 0 };
      return answer as T;
    },
    close: () => {},
  };
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const metadata = new Metadata('events', [BOOTSTRAP], () => link, log, {
    changed: () => {},
    topicMissing: () => {},
    unreachable: (why) => reasons.push(why),
    loginRefused: () => {},
  });
  const ended = metadata.run();
  const stop = async () => {
    // It ends a pause, and the round that has just brought something is not there yet.
    await sleep(0);
    metadata.stop();
    await ended;
  };
  return { metadata, lines, reasons, stop };
}

/** Gets a producer id and gives the lines that were logged until then. */
async function linesUntilProducerId(...producerIds: number[]) {
  const { metadata, lines, stop } = ask({ producerIds });
  const { producerId } = await new Promise<ProducerIdAnswer>((resolve) => {
    metadata.producerId(resolve);
  });
  assert.equal(producerId, 7n);
  await stop();
  return lines.map(({ level, error, errorCode }) => ({ level, error, errorCode }));
}

const [INFO, WARN] = [30, 40];

test('a coordinator that is not ready yet is normal, and is named', async () => {
  assert.deepEqual(await linesUntilProducerId(15, 14, 14, 16, 0), [
    { level: INFO, error: 'COORDINATOR_NOT_AVAILABLE', errorCode: 15 },
    { level: INFO, error: 'COORDINATOR_LOAD_IN_PROGRESS', errorCode: 14 },
    { level: INFO, error: 'NOT_COORDINATOR', errorCode: 16 },
  ]);
});

test('a coordinator that is not ready for long is a warning', async (t) => {
  let now = 0;
  t.mock.method(performance, 'now', () => {
    now += 4_000;
    return now;
  });
  assert.deepEqual(
    (await linesUntilProducerId(14, 14, 14, 14, 0)).map(({ level }) => level),
    [INFO, WARN],
  );
});

test('any other refusal of a producer id is a warning', async () => {
  assert.deepEqual(await linesUntilProducerId(31, 0), [
    { level: WARN, error: 'CLUSTER_AUTHORIZATION_FAILED', errorCode: 31 },
  ]);
});

test('an error of the topic is named to people', async () => {
  const { reasons, stop } = ask({ topicErrorCode: 29 });
  await until(() => reasons.length > 0);
  await stop();
  assert.equal(reasons[0], 'Kafka answers TOPIC_AUTHORIZATION_FAILED for the topic');
});

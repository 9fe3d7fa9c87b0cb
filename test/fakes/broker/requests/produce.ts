import type { Api, Call } from '../api.ts';
import { headerOf } from '../record-batch.ts';
import { Writer } from '../wire.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const NOT_LEADER_OR_FOLLOWER = 6;
const ACKS_ALL = -1;

interface Answered {
  readonly partition: number;
  readonly code: number;
}

/** Faults apply batch by batch; wire faults apply to the whole response. */
export const produce: Api = {
  name: 'Produce',
  key: 0,
  min: 3,
  max: 7,
  answer(call) {
    const { body, version } = call;
    body.string(); // the transaction
    const acks = body.int16();
    if (acks !== ACKS_ALL) throw new Error(`acks ${acks}`);
    body.int32(); // time for the replicas
    const topics = readTopics(call);
    const writer = new Writer();
    writer.array(topics, ({ topic, partitions }) => {
      writer.string(topic);
      writer.array(partitions, ({ partition, code }) => {
        writer.int32(partition).int16(code).int64(0).int64(-1);
        if (version >= 5) writer.int64(0);
      });
    });
    return writer.int32(call.throttleMs);
  },
};

function readTopics(call: Call): { topic: string; partitions: Answered[] }[] {
  const { body } = call;
  const topics = body.array(() => {
    const topic = body.string() ?? '';
    const partitions = body.array(() => {
      const partition = body.int32();
      return take(call, topic, partition, body.bytes() ?? Buffer.alloc(0));
    });
    return { topic, partitions: (partitions ?? []).filter((each) => each !== undefined) };
  });
  return topics ?? [];
}

/** @returns undefined if the response must omit the partition */
function take(call: Call, topic: string, partition: number, bytes: Buffer): Answered | undefined {
  const { cluster, broker } = call;
  const atMs = performance.now();
  cluster.attempts.push({ topic, partition, broker, atMs, bytes, header: headerOf(bytes) });
  const error = cluster.topicErrors.get(topic);
  if (error !== undefined) return { partition, code: error };
  const log = cluster.topics.get(topic)?.[partition];
  if (log === undefined) return { partition, code: UNKNOWN_TOPIC_OR_PARTITION };
  if (log.leader !== broker) return { partition, code: NOT_LEADER_OR_FOLLOWER };
  const fault = call.meet({ partition, batch: bytes });
  if (fault === undefined) return { partition, code: log.append(bytes) };
  const { code = 0, append = false, omit = false } = fault;
  const appended = append ? log.append(bytes) : 0;
  if (appended !== 0) throw new Error(`an append that was ordered met ${appended}`);
  return omit ? undefined : { partition, code };
}

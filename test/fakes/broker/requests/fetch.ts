import { setTimeout as sleep } from 'node:timers/promises';
import type { Api, Call } from '../api.ts';
import { Writer } from '../wire.ts';

const OFFSET_OUT_OF_RANGE = 1;
const NOT_LEADER_OR_FOLLOWER = 6;
/** Maximum wait of a fetch without data. */
const WAIT_MS_MAX = 100;

interface Part {
  readonly index: number;
  readonly code: number;
  readonly highWatermark: number;
  readonly records: Buffer;
}

/** An injected code applies to every partition of the response. */
export const fetch: Api = {
  name: 'Fetch',
  key: 1,
  min: 4,
  max: 4,
  async answer(call) {
    const { body } = call;
    body.int32(); // a replica's id
    const waitMs = body.int32();
    body.int32(); // least bytes
    body.int32(); // most bytes
    body.int8(); // isolation: there are no transactions
    const code = call.meet()?.code;
    const topics = readTopics(call, code);
    const isEmpty = topics.every(({ parts }) => parts.every(({ records }) => records.length === 0));
    if (isEmpty) await sleep(Math.min(waitMs, WAIT_MS_MAX));
    const writer = new Writer().int32(call.throttleMs);
    return writer.array(topics, ({ topic, parts }) => {
      writer.string(topic);
      writer.array(parts, (part) => {
        writer.int32(part.index).int16(part.code);
        writer.int64(part.highWatermark).int64(part.highWatermark);
        writer.array([], () => {}); // aborted transactions
        writer.bytes(part.records);
      });
    });
  },
};

function readTopics(
  { cluster, broker, body }: Call,
  injected: number | undefined,
): { topic: string; parts: Part[] }[] {
  const topics = body.array(() => {
    const topic = body.string() ?? '';
    const parts = body.array((): Part => {
      const index = body.int32();
      const offset = Number(body.int64());
      const maxBytes = body.int32();
      const partition = cluster.partition(topic, index);
      const { highWatermark } = partition;
      const inRange = offset >= 0 && offset <= highWatermark;
      const wrong = partition.leader === broker ? OFFSET_OUT_OF_RANGE : NOT_LEADER_OR_FOLLOWER;
      const code = injected ?? (inRange && partition.leader === broker ? 0 : wrong);
      const records = code === 0 ? partition.read(offset, maxBytes) : Buffer.alloc(0);
      return { index, code, highWatermark, records };
    });
    return { topic, parts: parts ?? [] };
  });
  return topics ?? [];
}

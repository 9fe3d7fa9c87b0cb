import type { Api } from '../api.ts';
import { Writer } from '../wire.ts';

const EARLIEST = -2n;
const LATEST = -1n;

/** An injected code applies to every partition of the response. */
export const listOffsets: Api = {
  name: 'ListOffsets',
  key: 2,
  min: 1,
  max: 2,
  answer(call) {
    const { cluster, body, version } = call;
    body.int32(); // a replica's id
    if (version >= 2) body.int8(); // isolation: there are no transactions
    const code = call.meet()?.code ?? 0;
    const topics = body.array(() => {
      const topic = body.string() ?? '';
      const parts = body.array(() => {
        const index = body.int32();
        const time = body.int64();
        if (time !== EARLIEST && time !== LATEST) throw new Error(`an offset by time ${time}`);
        const { highWatermark } = cluster.partition(topic, index);
        return { index, offset: time === LATEST ? highWatermark : 0 };
      });
      return { topic, parts: parts ?? [] };
    });
    const writer = new Writer();
    if (version >= 2) writer.int32(call.throttleMs);
    return writer.array(topics ?? [], ({ topic, parts }) => {
      writer.string(topic);
      writer.array(parts, ({ index, offset }) =>
        writer.int32(index).int16(code).int64(-1).int64(offset),
      );
    });
  },
};

import type { Api } from '../api.ts';
import { Writer } from '../wire.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;

/** An injected code stands for every topic of the response. */
export const metadata: Api = {
  name: 'Metadata',
  key: 3,
  min: 4,
  max: 4,
  answer(call) {
    const { cluster, body } = call;
    const asked = body.array(() => body.string() ?? '') ?? [...cluster.topics.keys()];
    body.boolean(); // create what is missing
    const code = call.meet()?.code;
    const running = cluster.brokers.filter((broker) => broker.running);
    const writer = new Writer().int32(call.throttleMs);
    writer.array(running, ({ id, address, advertised = address }) =>
      writer.int32(id).string(advertised.host).int32(advertised.port).string(null),
    );
    writer.string('fake-cluster').int32(running[0]?.id ?? -1);
    return writer.array(asked, (topic) => {
      const partitions = cluster.topics.get(topic);
      const unknown = partitions === undefined ? UNKNOWN_TOPIC_OR_PARTITION : 0;
      writer.int16(code ?? unknown);
      writer.string(topic).boolean(false);
      writer.array((code ?? unknown) === 0 ? (partitions ?? []) : [], ({ index, leader }) => {
        const led = running.some(({ id }) => id === leader);
        const replicas = cluster.brokers.map(({ id }) => id);
        const inSync = running.map(({ id }) => id);
        writer.int16(led ? 0 : LEADER_NOT_AVAILABLE);
        writer.int32(index).int32(led ? leader : -1);
        writer.array(replicas, (id) => writer.int32(id));
        writer.array(inSync, (id) => writer.int32(id));
      });
    });
  },
};

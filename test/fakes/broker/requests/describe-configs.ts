import type { Api } from '../api.ts';
import { Writer } from '../wire.ts';

const TOPIC_CONFIG = 1;

/** Configuration of a topic: the entries that the topic admin requests. */
export const describeConfigs: Api = {
  name: 'DescribeConfigs',
  key: 32,
  min: 1,
  max: 1,
  answer(call) {
    const { cluster, body } = call;
    const resources = body.array(() => {
      const resource = { type: body.int8(), name: body.string() };
      body.array(() => body.string()); // requested names: all entries are returned
      return resource;
    });
    body.boolean(); // synonyms: there are none
    const code = call.meet()?.code ?? 0;
    const settings = [
      ['max.message.bytes', String(cluster.maxMessageBytes)],
      ['min.insync.replicas', '2'],
      ['unclean.leader.election.enable', 'false'],
    ] as const;
    const writer = new Writer().int32(call.throttleMs);
    return writer.array(resources ?? [], ({ type, name }) => {
      writer.int16(code).string(null).int8(type).string(name);
      writer.array(code === 0 ? settings : [], ([key, value]) => {
        writer.string(key).string(value).boolean(false).int8(TOPIC_CONFIG).boolean(false);
        writer.array([], () => {}); // synonyms
      });
    });
  },
};

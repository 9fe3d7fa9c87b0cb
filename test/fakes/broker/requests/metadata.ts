import type { Api, Call } from '../api.ts';
import { CompactWriter } from '../compact-writer.ts';
import { Writer } from '../wire.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;
const CLUSTER_ID = 'fake-cluster';

/** One partition of a response. */
interface PartitionView {
  readonly index: number;
  readonly code: number;
  readonly leader: number;
}

interface TopicView {
  readonly name: string;
  readonly code: number;
  readonly id: Buffer;
  readonly partitions: readonly PartitionView[];
}

/** An injected code applies to every topic of the response. */
export const metadata: Api = {
  name: 'Metadata',
  key: 3,
  min: 4,
  max: 10,
  flexibleFrom: 9,
  answer(call) {
    const asked = call.version < 9 ? readAsked(call) : readAskedCompact(call);
    const code = call.meet()?.code;
    const topics = asked.map((name) => viewOf(call, name, code));
    return call.version < 9 ? plain(call, topics) : compact(call, topics);
  },
};

function readAsked({ cluster, body, version }: Call): string[] {
  const asked = body.array(() => body.string() ?? '') ?? [...cluster.topics.keys()];
  body.boolean(); // create what is missing
  if (version >= 8) body.raw(2); // authorized operations
  return asked;
}

function readAskedCompact({ cluster, body, version }: Call): string[] {
  const asked = body.compactArray(() => {
    if (version >= 10) body.raw(16); // topic id
    const name = body.compactString() ?? '';
    body.tags();
    return name;
  });
  body.raw(3); // create what is missing, authorized operations
  body.tags();
  return asked ?? [...cluster.topics.keys()];
}

function viewOf({ cluster }: Call, name: string, injected: number | undefined): TopicView {
  const partitions = cluster.topics.get(name);
  const missing = partitions === undefined ? UNKNOWN_TOPIC_OR_PARTITION : 0;
  const code = injected ?? cluster.topicErrors.get(name) ?? missing;
  const id = cluster.topicId(name);
  if (code !== 0) return { name, code, id, partitions: [] };
  const views = (partitions ?? []).map(({ index, leader }) => {
    const led = running({ cluster }).some((broker) => broker.id === leader);
    return { index, code: led ? 0 : LEADER_NOT_AVAILABLE, leader: led ? leader : -1 };
  });
  return { name, code, id, partitions: views };
}

function running({ cluster }: Pick<Call, 'cluster'>) {
  return cluster.brokers.filter((broker) => broker.running);
}

function plain(call: Call, topics: readonly TopicView[]): Writer {
  const { version, cluster } = call;
  const inSync = running(call).map(({ id }) => id);
  const replicas = cluster.brokers.map(({ id }) => id);
  const writer = new Writer().int32(call.throttleMs);
  writer.array(running(call), ({ id, address, advertised = address }) =>
    writer.int32(id).string(advertised.host).int32(advertised.port).string(null),
  );
  writer.string(CLUSTER_ID).int32(inSync[0] ?? -1);
  writer.array(topics, ({ name, code, partitions }) => {
    writer.int16(code).string(name).boolean(false);
    writer.array(partitions, (partition) => {
      writer.int16(partition.code).int32(partition.index).int32(partition.leader);
      if (version >= 7) writer.int32(0); // leader epoch
      writer.array(replicas, (id) => writer.int32(id));
      writer.array(inSync, (id) => writer.int32(id));
      if (version >= 5) writer.array([], () => {}); // offline
    });
    if (version >= 8) writer.int32(0);
  });
  return version >= 8 ? writer.int32(0) : writer;
}

function compact(call: Call, topics: readonly TopicView[]): CompactWriter {
  const { version, cluster } = call;
  const inSync = running(call).map(({ id }) => id);
  const replicas = cluster.brokers.map(({ id }) => id);
  const writer = new CompactWriter().int32(call.throttleMs);
  writer.array(running(call), ({ id, address, advertised = address }) =>
    writer.int32(id).string(advertised.host).int32(advertised.port).string(null).tags(),
  );
  writer.string(CLUSTER_ID).int32(inSync[0] ?? -1);
  writer.array(topics, ({ name, code, id, partitions }) => {
    writer.int16(code).string(name);
    if (version >= 10) writer.raw(id);
    writer.raw(Buffer.alloc(1)); // internal
    writer.array(partitions, (partition) => {
      writer.int16(partition.code).int32(partition.index).int32(partition.leader).int32(0);
      for (const ids of [replicas, inSync, []]) writer.array(ids, (each) => writer.int32(each));
      writer.tags();
    });
    writer.int32(0).tags();
  });
  return writer.int32(0).tags();
}

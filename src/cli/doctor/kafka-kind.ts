/** Kind and version of a Kafka, from what its brokers support and how they are named. */
import type { ApiVersions } from '../../worker/producer/kafkajs.ts';
import { METADATA_WITH_IDS } from '../../worker/producer/metadata-with-ids.ts';
import { INIT_PRODUCER_ID, METADATA, PRODUCE } from '../../worker/producer/protocol.ts';

/**
 * Versions of requests that a release of Apache Kafka introduced: API key, version, release; the
 * latest first.
 */
const RELEASES: readonly (readonly [apiKey: number, version: number, release: string])[] = [
  [0, 13, '4.1'],
  [0, 12, '4.0'],
  [1, 17, '3.9'],
  [0, 11, '3.8'],
  [0, 10, '3.7'],
  [24, 4, '3.6'],
  [1, 15, '3.5'],
  [35, 4, '3.3'],
  [11, 9, '3.2'],
  [3, 12, '3.1'],
  [65, 0, '3.0'],
  [60, 0, '2.8'],
  [1, 12, '2.7'],
  [48, 0, '2.6'],
  [45, 0, '2.4'],
  [44, 0, '2.3'],
  [43, 0, '2.2'],
  [0, 7, '2.1'],
];

/** Request of a ZooKeeper-based controller to its brokers, which KRaft does not have. */
const LEADER_AND_ISR = 4;
/** Request that every KRaft broker supports. */
const DESCRIBE_CLUSTER = 60;

/** Requests without which the gateway cannot work. */
const REQUIRED = [
  ['Produce', PRODUCE],
  ['Metadata', METADATA],
  ['InitProducerId', INIT_PRODUCER_ID],
] as const;

/** Ends of the host names of Kafka services. */
const SERVICES: readonly (readonly [RegExp, string])[] = [
  [/\.servicebus\.windows\.net$/i, 'Azure Event Hubs'],
  [/\.kafka(-serverless)?\.[a-z0-9-]+\.amazonaws\.com$/i, 'Amazon MSK'],
  [/\.confluent\.cloud$/i, 'Confluent Cloud'],
  [/\.aivencloud\.com$/i, 'Aiven for Apache Kafka'],
  [/\.redpanda\.com$/i, 'Redpanda Cloud'],
];

/** Returns names and versions of the requests that the gateway needs and a broker lacks. */
export function missingApis(versions: ApiVersions): string[] {
  return REQUIRED.flatMap(([name, { apiKey, apiVersion }]) =>
    supports(versions, apiKey, apiVersion) ? [] : `${name} ${apiVersion}`,
  );
}

/** Returns the latest release of Apache Kafka whose requests a broker supports, in words. */
export function releaseOf(versions: ApiVersions): string {
  const found = RELEASES.find(
    ([apiKey, version]) => (versions[apiKey]?.maxVersion ?? -1) >= version,
  );
  return found === undefined ? 'requests of Kafka before 2.1' : `requests of Kafka ${found[2]}`;
}

/** Returns whether metadata of the broker has topic ids, by which a recreated topic is detected. */
export function hasTopicIds(versions: ApiVersions): boolean {
  const { apiKey, apiVersion } = METADATA_WITH_IDS;
  return supports(versions, apiKey, apiVersion);
}

/**
 * Returns the kind of a cluster, such as `Apache Kafka or compatible, KRaft`.
 * @param clusterId empty = the cluster has none
 * @param hosts of its brokers
 */
export function kindOf(versions: ApiVersions, clusterId: string, hosts: readonly string[]): string {
  const service = SERVICES.find(([name]) => hosts.some((host) => name.test(host)));
  if (service !== undefined) return service[1];
  if (/^redpanda\./.test(clusterId)) return 'Redpanda';
  const base = 'Apache Kafka or compatible';
  if (versions[LEADER_AND_ISR] !== undefined) return `${base}, with ZooKeeper`;
  return versions[DESCRIBE_CLUSTER] === undefined ? base : `${base}, KRaft`;
}

function supports(versions: ApiVersions, apiKey: number, version: number): boolean {
  const range = versions[apiKey];
  return range !== undefined && range.minVersion <= version && version <= range.maxVersion;
}

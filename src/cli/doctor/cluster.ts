/** Checks of the brokers: those of KAFKA_BROKERS, then those that the cluster advertises. */
import { isLoopback } from '../../common/ip-addresses.ts';
import type { Config } from '../../config/config.ts';
import {
  type BrokerAddress,
  formatBrokerAddress,
  parseBrokerAddress,
} from '../../kafka/broker-address.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import { createLogger } from '../../logging/logger.ts';
import type { ApiVersions } from '../../worker/producer/kafkajs.ts';
import type { Link } from '../../worker/producer/link.ts';
import {
  BROKER_STEPS,
  type BrokerConnection,
  type BrokerProbe,
  probeBroker,
  type ReachedBroker,
} from './broker-probe.ts';
import { kindOf } from './kafka-kind.ts';
import { DOCTOR_LIMITS } from './limits.ts';
import type { Report, Section, StepResult } from './report.ts';

/** A cluster with at least one broker that answers. */
export interface ReachedCluster {
  /** Connection to one of the brokers. */
  readonly link: Link;
  readonly address: BrokerAddress;
  readonly versions: ApiVersions;
  /** Connections by broker id, to each broker that was reached. */
  readonly brokers: ReadonlyMap<number, Link>;
  readonly brokerCount: number;
  close(): void;
}

/** Returns the connection of the settings. @throws StartError for unusable files */
export function brokerConnection(config: Config): BrokerConnection {
  const { clientId = '', ssl, sasl } = kafkaOptions(config);
  const logger = createLogger({ logLevel: 'silent', logPretty: false }, 'doctor');
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: user } = config;
  return {
    link: { clientId, ssl: ssl as object | undefined, sasl, logger },
    login: mechanism === undefined ? undefined : `${mechanism.toUpperCase()} as ${user}`,
  };
}

/**
 * Probes all brokers.
 * @returns undefined if none of KAFKA_BROKERS answers
 */
export async function checkCluster(
  config: Config,
  connection: BrokerConnection,
  report: Report,
): Promise<ReachedCluster | undefined> {
  const addresses = config.kafkaBrokers.map((broker) => parseBrokerAddress(broker)!);
  const probes = await inGroups(addresses, (address) => probeBroker(address, connection));
  const isReached = probes.some(({ reached }) => reached !== undefined);
  for (const { address, steps } of probes) {
    const section = report.section(`broker ${formatBrokerAddress(address)}`);
    for (const step of steps) section.add(isReached ? asWarning(step) : step);
  }
  const first = probes.find(({ reached }) => reached !== undefined);
  if (first?.reached === undefined) {
    const reason = 'no broker of KAFKA_BROKERS answers';
    report.section('cluster').skip(['kind', 'advertised'], reason);
    return undefined;
  }
  const cluster = report.section('cluster');
  addKind(first.reached, cluster);
  const others = await checkAdvertised(first.reached, probes, connection, cluster);
  return reachedCluster(first, [...probes, ...others]);
}

/** One broker of several is sufficient to start with. */
function asWarning(step: StepResult): StepResult {
  return step.status === 'fail' ? { ...step, status: 'warn' } : step;
}

function addKind({ cluster, versions }: ReachedBroker, section: Section): void {
  const { clusterId, brokers } = cluster;
  const hosts = brokers.map(({ host }) => host);
  const count = `${brokers.length} broker${brokers.length === 1 ? '' : 's'}`;
  const id = clusterId ? `, id ${clusterId}` : '';
  section.ok('kind', `${kindOf(versions, clusterId ?? '', hosts)}, ${count}${id}`);
}

/** Probes the brokers at the addresses that clients get from the cluster. @returns new probes */
async function checkAdvertised(
  { cluster }: ReachedBroker,
  known: readonly BrokerProbe[],
  connection: BrokerConnection,
  section: Section,
): Promise<BrokerProbe[]> {
  const bootstrapIsLocal = known.every(({ address }) => isLoopback(address.host));
  const found: BrokerProbe[] = [];
  await inGroups(cluster.brokers, async ({ nodeId, host, port }) => {
    const shown = formatBrokerAddress({ host, port });
    const broker = `broker ${nodeId} at ${shown}`;
    const before = known.find(({ address }) => formatBrokerAddress(address) === shown);
    const probe = before ?? (await probeBroker({ host, port }, connection));
    if (before === undefined) found.push(probe);
    const failed = probe.steps.find(({ status }) => status === 'fail');
    if (failed === undefined) {
      section.ok('advertised', `${broker} answers, after ${probe.tookMs} ms`);
      return;
    }
    const advice =
      isLoopback(host) && !bootstrapIsLocal
        ? 'the broker advertises an address of its own machine: change advertised.listeners'
        : 'clients connect to the address that a broker advertises: change advertised.listeners, ' +
          `or make ${shown} reachable from here (${failed.advice})`;
    section.fail('advertised', `${broker}: ${failed.step}: ${failed.detail}`, advice);
  });
  return found;
}

function reachedCluster(first: BrokerProbe, probes: readonly BrokerProbe[]): ReachedCluster {
  const { link, versions, cluster } = first.reached!;
  const links = new Map(
    probes.flatMap(({ address, reached }) =>
      reached === undefined ? [] : [[formatBrokerAddress(address), reached.link]],
    ),
  );
  const brokers = cluster.brokers.flatMap(({ nodeId, host, port }) => {
    const found = links.get(formatBrokerAddress({ host, port }));
    return found === undefined ? [] : ([[nodeId, found]] as const);
  });
  return {
    link,
    address: first.address,
    versions,
    brokers: new Map(brokers),
    brokerCount: cluster.brokers.length,
    close: () => {
      for (const each of links.values()) each.close();
    },
  };
}

/** Calls `work` for each item, a bounded number at a time; results are in order. */
async function inGroups<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  for (let from = 0; from < items.length; from += DOCTOR_LIMITS.concurrency) {
    const group = items.slice(from, from + DOCTOR_LIMITS.concurrency);
    results.push(...(await Promise.all(group.map(work))));
  }
  return results;
}

/** Reports that nothing about the brokers is checked. */
export function skipCluster(report: Report, reason: string): void {
  report.section('brokers').skip(BROKER_STEPS, reason);
  report.section('cluster').skip(['kind', 'advertised'], reason);
}

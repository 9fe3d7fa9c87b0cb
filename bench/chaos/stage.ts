/** Processes of a scenario: three brokers, gateways, and the proxies between them. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { constants, setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { Authority } from '../../testing/certificates.ts';
import { type Gateway, type GatewayOptions, startGateway } from '../../testing/gateway.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { KeyFile } from '../../testing/key-file.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import type { Access } from '../../testing/post.ts';
import { hasTool } from '../../testing/tools.ts';
import { choosePlaces, moveTo, steerLoopback } from '../lab/cores.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import { FaultProxy } from './proxy.ts';
import type { Setup } from './setup.ts';
import { declareStreams } from './streams.ts';

const NODES = 3;
/** Listed for the report; the cluster uses them. */
export const KAFKA_SETTINGS = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'broker.session.timeout.ms': '2000',
  'broker.heartbeat.interval.ms': '500',
} as const;
const BROKER_HEAP_MB = 384;
/** User as which the gateway logs in, in scenarios with ACLs. */
export const GATEWAY_USER = 'gateway';
const GATEWAY_SECRET = 'gateway-secret';
const LISTENER = 'listener.name.sasl_plaintext';
/** Brokers with ACLs: users other than the brokers' own may do everything that no rule names. */
const ACL_SETTINGS = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
  'super.users': 'User:ANONYMOUS',
  [`${LISTENER}.sasl.enabled.mechanisms`]: 'PLAIN',
  [`${LISTENER}.plain.sasl.jaas.config`]:
    'org.apache.kafka.common.security.plain.PlainLoginModule required ' +
    `user_${GATEWAY_USER}="${GATEWAY_SECRET}";`,
} as const;
const GATEWAY_LOGIN = {
  KAFKA_SASL_MECHANISM: 'plain',
  KAFKA_SASL_USERNAME: GATEWAY_USER,
  KAFKA_SASL_PASSWORD: GATEWAY_SECRET,
} as const;
export const PARTITIONS = 6;

export interface Stage {
  readonly cluster: KafkaCluster;
  readonly proxies: readonly FaultProxy[];
  readonly topic: string;
  /** Gateways by port; a stopped one is replaced. */
  readonly gateways: Gateway[];
  readonly balancer: Balancer | undefined;
  /** Endpoint for clients. */
  readonly endpoint: Endpoint;
  /** Starts another gateway (and balancer) on another topic. */
  startAnother(topic: string): Promise<Endpoint>;
  /** Restarts the gateway at this index. */
  start(index: number): Promise<Gateway>;
  /** Enables or disables resolution of the broker names, for the gateways. */
  resolve(names: boolean): void;
}

/** Gateway or balancer, with the credentials for clients. */
export interface Endpoint {
  readonly gateway: Gateway;
  readonly wsUrl: string;
  readonly httpUrl: string;
  readonly access: Access;
}

/** @throws Error if something fails to start, or a required program is missing */
export async function openStage(lifetime: Lifetime, setup: Setup): Promise<Stage> {
  const { instances = 1 } = setup;
  for (const tool of toolsOf(setup)) {
    if (!hasTool(tool)) throw new Error(`needs ${tool}`);
  }
  for (const file of setup.needs ?? []) {
    if (!existsSync(file)) throw new Error(`needs ${file}`);
  }
  const { cluster, proxies, brokers } = await startBrokers(lifetime, setup);
  const topic = uniqueTopic('chaos');
  const names = setup.names === undefined ? undefined : await Names.make(lifetime, setup.names);
  const { access, env } = accessOf(lifetime, setup);
  const streams = await declareStreams(lifetime, { brokers: cluster.brokers, topic }, setup);
  const options = gatewayOptions(setup, names, { ...env, ...streams });
  const pin = pinning(lifetime, setup, cluster);
  const begin = async (onTopic: string, pair?: [number, number]) => {
    const place = pair === undefined ? {} : { ports: pair };
    const gateway = await startGateway({ ...options, ...place, brokers, topic: onTopic });
    lifetime.after(() => gateway.kill());
    pin(gateway);
    return gateway;
  };
  const ports = await freePorts(2 * instances);
  const gateways: Gateway[] = [];
  const start = async (index: number) => {
    const gateway = await begin(topic, [ports[2 * index]!, ports[2 * index + 1]!]);
    gateways[index] = gateway;
    return gateway;
  };
  for (let index = 0; index < instances; index++) await start(index);
  const balance = (served: readonly Gateway[]) =>
    isBalanced(setup) ? startBalancer(lifetime, served) : undefined;
  const balancer = await balance(gateways);
  const endpointOf = (gateway: Gateway, before: Balancer | undefined): Endpoint => {
    const { wsUrl, httpUrl } = before ?? gateway;
    return { gateway, wsUrl, httpUrl, access };
  };
  const startAnother = async (onTopic: string) => {
    const gateway = await begin(onTopic);
    return endpointOf(gateway, await balance([gateway]));
  };
  const endpoint = endpointOf(gateways[0]!, balancer);
  const resolve = (known: boolean) => names?.resolve(known);
  return { cluster, proxies, topic, gateways, balancer, endpoint, startAnother, start, resolve };
}

function isBalanced({ instances, balanced }: Setup): boolean {
  return instances === 2 || balanced === true;
}

/** @returns the credentials for clients, and the settings that require them */
function accessOf(lifetime: Lifetime, { secure, keys }: Setup) {
  const env: Record<string, string> = {};
  let access: Access = {};
  if (secure === true) {
    const authority = new Authority();
    const { certFile, keyFile } = authority.issue('gateway');
    env.FOREBAY_TLS_CERT_FILE = certFile;
    env.FOREBAY_TLS_KEY_FILE = keyFile;
    access = { ca: authority.ca };
  }
  if (keys === true) {
    const file = new KeyFile();
    lifetime.after(() => file.remove());
    file.write('client');
    env.FOREBAY_KEYS_FILE = file.path;
    access = { ...access, headers: file.bearer('client') };
  }
  return { access, env };
}

/**
 * Pins workers to a dedicated core, if configured. @returns a function that pins a gateway’s
 * workers
 */
function pinning(lifetime: Lifetime, { pinned }: Setup, cluster: KafkaCluster) {
  if (pinned !== true) return () => {};
  const places = choosePlaces();
  if (places.worker === undefined) throw new Error(places.text);
  for (const { pid } of cluster.nodes) if (pid !== undefined) moveTo(places.rest, pid);
  // Processes started from now on inherit it.
  moveTo(places.rest, process.pid);
  lifetime.after(() => moveTo(places.all, process.pid));
  lifetime.after(steerLoopback());
  return (gateway: Gateway) => {
    for (const pid of gateway.workers()) {
      moveTo(places.worker, pid);
      prioritize(pid);
    }
  };
}

/**
 * Gives all threads of a process the highest priority on their core, since the main thread waits
 * for garbage collection threads. A real-time policy is unsuitable: the kernel throttles it for 50
 * ms of each second. Requires root; otherwise the CPU wait in the table shows the effect.
 */
function prioritize(pid: number): void {
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      setPriority(Number(thread), constants.priority.PRIORITY_HIGHEST);
    }
  } catch {
    // Not root: see above.
  }
}

function toolsOf(setup: Setup): string[] {
  const { names, pinned, wrapper = [] } = setup;
  const tools = [...wrapper.slice(0, 1)];
  if (isBalanced(setup)) tools.push('haproxy');
  if (pinned === true) tools.push('taskset');
  if (names !== undefined) tools.push('unshare');
  return tools;
}

/** @returns the cluster, the proxies, and the broker addresses for gateways */
async function startBrokers(lifetime: Lifetime, { proxied, names, kafka, acls }: Setup) {
  const behind = proxied === true || names !== undefined;
  const ports = behind ? await freePorts(NODES) : [];
  const advertised = ports.map((port, i) => ({ host: names?.[i] ?? '127.0.0.1', port }));
  const cluster = await startCluster({
    nodes: NODES,
    heapMb: BROKER_HEAP_MB,
    overrides: { ...KAFKA_SETTINGS, ...(acls === true ? ACL_SETTINGS : {}), ...kafka },
    secure: acls === true ? ['SASL_PLAINTEXT'] : [],
    ...(behind ? { advertised } : {}),
  });
  lifetime.after(() => cluster.close());
  const proxies = await Promise.all(
    ports.map((port, i) => FaultProxy.start(cluster.inner[i]!, port)),
  );
  for (const proxy of proxies) lifetime.after(() => proxy.close());
  if (acls === true) return { cluster, proxies, brokers: cluster.secureBrokers('SASL_PLAINTEXT') };
  const brokers = behind ? advertised.map(({ host, port }) => `${host}:${port}`) : cluster.brokers;
  return { cluster, proxies, brokers };
}

function gatewayOptions(
  setup: Setup,
  names: Names | undefined,
  more: Readonly<Record<string, string>>,
) {
  const env = {
    KAFKA_TOPIC_PARTITIONS: String(PARTITIONS),
    FOREBAY_WORKERS: String(setup.workers ?? 1),
    ...(setup.acls === true ? GATEWAY_LOGIN : {}),
    ...setup.env,
    ...more,
  };
  const wrapper = [...(names?.wrapper ?? []), ...(setup.wrapper ?? [])];
  const { nodeArgs = [] } = setup;
  return { env, wrapper, nodeArgs } satisfies Partial<GatewayOptions>;
}

/**
 * Hosts file in a mount namespace of the gateways; other names go to a name server address of this
 * machine without a server.
 */
class Names {
  readonly #dir: string;
  readonly #names: readonly string[];

  private constructor(dir: string, names: readonly string[]) {
    this.#dir = dir;
    this.#names = names;
    writeFileSync(join(dir, 'resolv.conf'), 'nameserver 127.0.0.1\n');
    this.resolve(true);
  }

  static async make(lifetime: Lifetime, names: readonly string[]): Promise<Names> {
    const dir = await mkdtemp(join(tmpdir(), 'forebay-names-'));
    lifetime.after(() => rm(dir, { recursive: true }));
    return new Names(dir, names);
  }

  get wrapper(): string[] {
    const mounts = ['hosts', 'resolv.conf'].map(
      (file) => `mount --bind '${join(this.#dir, file)}' /etc/${file} && `,
    );
    const script = `${mounts.join('')}exec "$@"`;
    return ['unshare', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
  }

  resolve(known: boolean): void {
    const lines = [
      '127.0.0.1 localhost',
      ...(known ? this.#names : []).map((n) => `127.0.0.1 ${n}`),
    ];
    // Written in place: the mount refers to the file, not to its name.
    writeFileSync(join(this.#dir, 'hosts'), `${lines.join('\n')}\n`);
  }
}

/**
 * A real Kafka of one or three nodes on this machine, for `make kafka`, tests and benches. Each
 * node is a KRaft broker and controller, a Java process in a session of its own, so that Ctrl-C in
 * the terminal does not reach it. A cluster ends with the process that started it, even after
 * SIGKILL, unless it was asked to outlive it.
 */
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Guard } from './guard.ts';
import { archiveFile, classPath, ensureJars, haveJars } from './jars.ts';
import { clusterIdOf, KafkaNode, type Launcher } from './node.ts';
import { freePorts } from './ports.ts';
import { findAnyJava, hasMaven, missingTools, runsOnJava } from './tools.ts';

export interface ClusterOptions {
  /** Folder of logs, data and settings; one of an earlier cluster keeps its data. Default: a new
   * one in the system's temporary folder, removed by `close()`. */
  dir?: string;
  nodes?: 1 | 3;
  /** Ports of the brokers; free ones by default. */
  ports?: number[];
  /** Addresses that the brokers advertise instead of their own, one per node; they must lead to
   * `inner`. */
  advertised?: readonly Place[];
  /** Protocols of additional client listeners, at `secureBrokers`. `overrides` has their
   * certificates and users. */
  secure?: readonly SecurityProtocol[];
  /** Initial users, as `--add-scram` of Kafka's formatter takes them. */
  scramUsers?: readonly string[];
  /** Overrides of the default server.properties, for every node. */
  overrides?: Record<string, string>;
  heapMb?: number;
  /** Survives the process that started it; compiles its hot code fully. */
  outlives?: boolean;
  /** Receives messages about slow steps. */
  say?: (line: string) => void;
}

export type SecurityProtocol = 'SSL' | 'SASL_SSL' | 'SASL_PLAINTEXT';

/** An address that clients connect to. */
export interface Place {
  host: string;
  port: number;
}

const START_TIMEOUT_MS = 60_000;

export class KafkaCluster {
  readonly dir: string;
  readonly nodes: readonly KafkaNode[];
  /** `["127.0.0.1:20123", …]`, including brokers that are down. */
  readonly brokers: readonly string[];
  /** Ports of the listeners behind the `advertised` addresses; none without these. */
  readonly inner: readonly number[];
  /** Ports of the `secure` listeners, by protocol. */
  private readonly securePorts: SecurePorts;
  private readonly isOwnDir: boolean;
  private readonly guard: Guard;

  constructor(
    dir: string,
    nodes: KafkaNode[],
    { inner, secure }: Pick<Ports, 'inner' | 'secure'>,
    isOwnDir: boolean,
    guard: Guard,
  ) {
    this.dir = dir;
    this.inner = inner;
    this.securePorts = secure;
    this.nodes = nodes;
    this.brokers = nodes.map((node) => node.address);
    this.isOwnDir = isOwnDir;
    this.guard = guard;
  }

  /** `["localhost:20125", …]`: addresses of the brokers for this protocol. */
  secureBrokers(protocol: SecurityProtocol): string[] {
    return (this.securePorts.get(protocol) ?? []).map((port) => `localhost:${port}`);
  }

  /** Runs a tool of Kafka. @throws Error with the end of the log if it fails */
  async tool(mainClass: string, args: readonly string[]): Promise<void> {
    await this.node(0).run([mainClass, ...args]);
  }

  /** SIGKILL; resolves when the process has exited. */
  async kill(index: number): Promise<void> {
    await this.node(index).end('SIGKILL');
    this.tellGuard();
  }

  /** SIGTERM; resolves when the process has exited. */
  async stop(index: number): Promise<void> {
    await this.node(index).end('SIGTERM');
    this.tellGuard();
  }

  /** SIGSTOP: connections stay open without a response. */
  pause(index: number): void {
    this.node(index).signal('SIGSTOP');
  }

  /** SIGCONT. */
  resume(index: number): void {
    this.node(index).signal('SIGCONT');
  }

  /** Starts a killed or stopped node on its port and data; resolves when it responds. */
  async restart(index: number): Promise<void> {
    const node = this.node(index);
    if (node.pid !== undefined) await this.stop(index);
    node.start();
    this.tellGuard();
    await node.untilMember([node.id], START_TIMEOUT_MS);
  }

  /** Stops all nodes; `remove` (default: true if the cluster created its folder) deletes data. */
  async close(options: { remove?: boolean } = {}): Promise<void> {
    const remove = options.remove ?? this.isOwnDir;
    // Data to be deleted needs no clean shutdown, and three controllers that stop at the same time
    // wait for each other in vain.
    await Promise.all(this.nodes.map((node) => node.end(remove ? 'SIGKILL' : 'SIGTERM', 10_000)));
    this.guard.dismiss();
    if (remove) await rm(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** Lets the cluster outlive this process. */
  release(): void {
    this.guard.dismiss();
  }

  private node(index: number): KafkaNode {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`no node ${index} of ${this.nodes.length}`);
    return node;
  }

  /** Starts every node and waits until each of them knows all. For `startCluster`. */
  async start(): Promise<void> {
    for (const node of this.nodes) node.start();
    this.tellGuard();
    const ids = this.nodes.map((node) => node.id);
    await Promise.all(this.nodes.map((node) => node.untilMember(ids, START_TIMEOUT_MS)));
  }

  private tellGuard(): void {
    this.guard.watch(this.nodes.flatMap((node) => node.pid ?? []));
  }
}

/** Listener of the advertised address; the brokers communicate through another one. */
function outside(advertised: Place | undefined, port: number | undefined) {
  if (advertised === undefined) return { listener: '', told: '', protocol: '' };
  return {
    listener: `,OUTSIDE://127.0.0.1:${port}`,
    told: `,OUTSIDE://${advertised.host}:${advertised.port}`,
    protocol: ',OUTSIDE:PLAINTEXT',
  };
}

/** Listeners by the names of their protocols, each preceded by a comma. */
function secureListeners(id: number, secure: SecurePorts) {
  const all = [...secure].map(([name, ports]) => ({ name, port: ports[id - 1] }));
  return {
    listeners: all.map(({ name, port }) => `,${name}://127.0.0.1:${port}`).join(''),
    told: all.map(({ name, port }) => `,${name}://localhost:${port}`).join(''),
    protocols: all.map(({ name }) => `,${name}:${name}`).join(''),
  };
}

function properties(id: number, dir: string, ports: Ports, options: ClusterOptions) {
  const count = ports.brokers.length;
  const copies = String(count);
  const inSync = count === 3 ? '2' : '1';
  const voters = ports.controllers.map((port, i) => `${i + 1}@127.0.0.1:${port}`);
  const [broker, controller] = [ports.brokers[id - 1], ports.controllers[id - 1]];
  const { listener, told, protocol } = outside(options.advertised?.[id - 1], ports.inner[id - 1]);
  const secure = secureListeners(id, ports.secure);
  const own = `PLAINTEXT://127.0.0.1:${broker}`;
  return {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters.join(','),
    listeners: `${own},CONTROLLER://127.0.0.1:${controller}${listener}${secure.listeners}`,
    'advertised.listeners': `${own}${told}${secure.told}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': `PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT${protocol}${secure.protocols}`,
    'log.dirs': join(dir, `node-${id}`),
    'auto.create.topics.enable': 'false',
    'default.replication.factor': copies,
    'min.insync.replicas': inSync,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': inSync,
    // 50 partitions each by default, created with the first group and the first producer.
    'offsets.topic.num.partitions': '4',
    'transaction.state.log.num.partitions': '4',
    'group.initial.rebalance.delay.ms': '0',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'log.cleaner.dedupe.buffer.size': '4194304',
    // Detects a dead broker soon. The heartbeat must be well below the timeout: its default equals
    // this one, and brokers would be fenced at random.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    'leader.imbalance.check.interval.seconds': '4',
    ...options.overrides,
  };
}

type SecurePorts = ReadonlyMap<SecurityProtocol, readonly number[]>;

interface Ports {
  brokers: number[];
  controllers: number[];
  inner: number[];
  secure: SecurePorts;
}

async function choosePorts(count: number, options: ClusterOptions): Promise<Ports> {
  const { ports: wanted, advertised, secure = [] } = options;
  for (const given of [wanted, advertised]) {
    if (given === undefined || given.length === count) continue;
    throw new RangeError(`${count} nodes need ${count} ports, not ${given.length}`);
  }
  const free = await freePorts(count * (3 + secure.length));
  const group = (index: number) => free.slice(count * index, count * (index + 1));
  return {
    brokers: wanted ?? group(1),
    controllers: group(0),
    inner: advertised === undefined ? [] : group(2),
    secure: new Map(secure.map((protocol, index) => [protocol, group(3 + index)])),
  };
}

/**
 * Writes an archive of the loaded classes, which halves the start time of later nodes. A dedicated
 * node writes it, once per Java version and set of jars.
 */
async function writeArchive(launcher: Launcher, file: string): Promise<void> {
  const partial = `${file}.${process.pid}`;
  const writer = { ...launcher, jvm: [...launcher.jvm, `-XX:ArchiveClassesAtExit=${partial}`] };
  try {
    const cluster = await launch(writer, {});
    await cluster.stop(0);
    await cluster.close();
    if (existsSync(partial)) await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}

/** Starts the nodes; on failure, nothing is left behind. */
async function launch(launcher: Launcher, options: ClusterOptions): Promise<KafkaCluster> {
  const count = options.nodes ?? 1;
  const ports = await choosePorts(count, options);
  const isOwnDir = options.dir === undefined;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'forebay-kafka-')));
  await mkdir(dir, { recursive: true });
  const guard = new Guard(isOwnDir ? dir : undefined);
  const nodes = ports.brokers.map((port, i) => {
    const settings = properties(i + 1, dir, ports, options);
    return new KafkaNode(i + 1, port, dir, settings, launcher);
  });
  const cluster = new KafkaCluster(dir, nodes, ports, isOwnDir, guard);
  try {
    const clusterId = await clusterIdOf(dir);
    await Promise.all(nodes.map((node) => node.prepare(clusterId, options.scramUsers)));
    await cluster.start();
    if (options.outlives === true) cluster.release();
  } catch (error) {
    await cluster.close();
    throw error;
  }
  return cluster;
}

/** Starts a cluster; resolves when all nodes respond and know each other. Requires Java 17 or
 * later, and Maven the first time. Throws with the end of a node's log if that node does not
 * start. */
export async function startCluster(options: ClusterOptions = {}): Promise<KafkaCluster> {
  const java = findAnyJava();
  const tools = { java, maven: haveJars() || hasMaven() };
  if (java === undefined || !runsOnJava(tools)) throw new Error(missingTools(tools));
  const jars = await ensureJars(options.say);
  const launcher: Launcher = {
    java: java.command,
    classPath: classPath(jars),
    jvm: [`-Xmx${options.heapMb ?? 512}m`, '-Xms64m', '-XX:+UseSerialGC', '-Xlog:disable'],
  };
  // On two cores the second compiler costs more than it gains in a test's short life.
  if (options.outlives !== true) launcher.jvm.push('-XX:TieredStopAtLevel=1');
  const archive = archiveFile(jars, java);
  if (archive !== undefined && !existsSync(archive)) {
    options.say?.('preparing Kafka for quick starts, once (12 s)');
    await writeArchive(launcher, archive);
  }
  if (archive !== undefined) launcher.jvm.push(`-XX:SharedArchiveFile=${archive}`, '-Xshare:auto');
  const dir = options.dir === undefined ? {} : { dir: resolve(options.dir) };
  const start = () => launch(launcher, { ...options, ...dir });
  return options.outlives === true ? start() : atFreePorts(start);
}

/** Starts that a taken port may prevent. */
const STARTS_MAX = 3;

/** Tries again if Kafka does not start: another process may have taken a port before it. */
export async function atFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let left = STARTS_MAX - 1; ; left--) {
    try {
      return await start();
    } catch (error) {
      if (left === 0 || !/^Kafka did not start/.test((error as Error).message)) throw error;
    }
  }
}

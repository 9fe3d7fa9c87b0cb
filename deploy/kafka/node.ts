import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Kafka, logLevel } from 'kafkajs';
import '../../src/kafka/request-queue.ts';

const LOG_SETTINGS = join(dirname(fileURLToPath(import.meta.url)), 'log4j2.properties');
const POLL_MS = 50;

/** Launch parameters common to all nodes of a cluster. */
export interface Launcher {
  java: string;
  classPath: string;
  jvm: string[];
}

function once(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
}

/** Id of the cluster whose data is in the folder, or a new one. */
export async function clusterIdOf(dir: string): Promise<string> {
  const meta = join(dir, 'node-1', 'meta.properties');
  const found = existsSync(meta)
    ? /^cluster\.id=(.+)$/m.exec(await readFile(meta, 'utf8'))?.[1]
    : undefined;
  // Prefixed with a letter: a leading hyphen would be taken for an option.
  return found ?? `F${randomBytes(16).toString('base64url').slice(1)}`;
}

/** One Kafka process: its settings, data, log and life cycle. */
export class KafkaNode {
  readonly id: number;
  readonly port: number;
  readonly address: string;
  readonly logFile: string;
  private readonly dataDir: string;
  private readonly settingsFile: string;
  private readonly settings: Record<string, string>;
  private readonly launcher: Launcher;
  private child: ChildProcess | undefined;
  private ended: Promise<void> = Promise.resolve();

  constructor(
    id: number,
    port: number,
    dir: string,
    settings: Record<string, string>,
    launcher: Launcher,
  ) {
    this.id = id;
    this.port = port;
    this.address = `127.0.0.1:${port}`;
    this.logFile = join(dir, `node-${id}.log`);
    this.dataDir = join(dir, `node-${id}`);
    this.settingsFile = join(dir, `node-${id}.properties`);
    this.settings = settings;
    this.launcher = launcher;
  }

  /** Process id of Java; undefined while the node is down. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /**
   * Writes the settings, and formats the data folder unless it contains data.
   * @param scramUsers initial users
   */
  async prepare(clusterId: string, scramUsers: readonly string[] = []): Promise<void> {
    const lines = Object.entries(this.settings).map(([name, value]) => `${name}=${value}`);
    await mkdir(this.dataDir, { recursive: true });
    await writeFile(this.settingsFile, `${lines.join('\n')}\n`);
    if (existsSync(join(this.dataDir, 'meta.properties'))) return;
    const users = scramUsers.flatMap((user) => ['--add-scram', user]);
    const format = ['format', '-t', clusterId, '-c', this.settingsFile, ...users];
    await this.run(['kafka.tools.StorageTool', ...format]);
  }

  /** Runs a tool; `command` is its class and arguments. @throws Error if it fails */
  async run(command: readonly string[]): Promise<void> {
    // Only the node itself writes a class archive, not a tool.
    const jvm = this.launcher.jvm.filter((option) => !option.includes('ArchiveClassesAtExit'));
    const child = this.spawn([...jvm, ...command]);
    await once(child);
    if (child.exitCode !== 0) throw new Error(`${command[0]} failed${this.logTail()}`);
  }

  start(): void {
    if (this.child !== undefined) throw new Error(`node ${this.id} is already running`);
    const child = this.spawn([...this.launcher.jvm, 'kafka.Kafka', this.settingsFile]);
    // A running node does not keep its starter alive, but waiting for its exit does: see end().
    child.unref();
    this.child = child;
    this.ended = once(child).then(() => {
      this.child = undefined;
    });
  }

  signal(name: NodeJS.Signals): void {
    if (this.child === undefined) throw new Error(`node ${this.id} is down`);
    this.child.kill(name);
  }

  /** Sends the signal and waits for the exit; sends SIGKILL after the timeout. */
  async end(name: 'SIGTERM' | 'SIGKILL', timeoutMs = 30_000): Promise<void> {
    const child = this.child;
    if (child === undefined) return;
    child.kill(name);
    // A paused node receives SIGTERM only once it continues.
    child.kill('SIGCONT');
    child.ref();
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** Waits until this node responds and reports all the given nodes as alive. */
  async untilMember(ids: readonly number[], timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const alive = await aliveNodes(this.address);
      if (ids.every((id) => alive.includes(id))) return;
      if (this.child === undefined) throw new Error(`Kafka did not start${this.logTail()}`);
      if (performance.now() > deadline) {
        throw new Error(`Kafka is not ready after ${timeoutMs / 1000} s${this.logTail()}`);
      }
      await sleep(POLL_MS);
    }
  }

  private spawn(args: string[]): ChildProcess {
    const log = openSync(this.logFile, 'a');
    // Files that Java leaves behind when killed (counters, unpacked libraries) share the cluster's
    // folder.
    const temporary = ['-XX:-UsePerfData', `-Djava.io.tmpdir=${dirname(this.dataDir)}`];
    const own = [...temporary, `-Dlog4j2.configurationFile=${LOG_SETTINGS}`];
    const child = spawn(this.launcher.java, [...own, ...args], {
      // The class path is passed by the environment: `ps` stays readable.
      env: { ...process.env, CLASSPATH: this.launcher.classPath },
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    return child;
  }

  private logTail(): string {
    const lines = existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').trim() : '';
    return `; the end of ${this.logFile}:\n${lines.split('\n').slice(-15).join('\n')}`;
  }
}

/** Ids of the nodes that the broker reports as alive; none if it does not respond. */
export async function aliveNodes(address: string): Promise<number[]> {
  const kafka = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1000,
    requestTimeout: 2000,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return (await admin.describeCluster()).brokers.map((broker) => broker.nodeId);
  } catch {
    return [];
  } finally {
    await admin.disconnect().catch(() => {});
  }
}

/** Strimzi's HTTP bridge to Kafka: installed by Maven on first use, and run by Java. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { classPath, copyDependencies, ROOT } from '../../deploy/kafka/jars.ts';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { findJava, hasMaven, JAVA_VERSION_MIN } from '../../deploy/kafka/tools.ts';
import { SETTINGS } from '../../src/config/settings.ts';
import { until } from '../../testing/wait.ts';
import { moveTo, type Places } from '../lab/cores.ts';
import type { Target } from '../lab/target.ts';
import type { HttpForm } from '../load/http-process.ts';

const POM = join(dirname(fileURLToPath(import.meta.url)), 'bridge/pom.xml');
const MAIN_CLASS = 'io.strimzi.kafka.bridge.Application';
const START_MS_MAX = 60_000;
const STOP_MS_MAX = 10_000;

export interface Bridge {
  readonly version: string;
  readonly java: string;
  readonly jars: string;
}

/** Installs the bridge unless it is installed. @returns it, or the reason why it cannot be used */
export async function installBridge(
  log: (line: string) => void,
): Promise<Bridge | { readonly problem: string }> {
  const java = findJava();
  if (java === undefined) return { problem: `no Java ${JAVA_VERSION_MIN} or later` };
  const version = versionIn(readFileSync(POM, 'utf8'));
  const jars = join(ROOT, '.cache/kafka-bridge', version);
  const bridge = { version, java: java.command, jars };
  if (existsSync(jars)) return bridge;
  if (!hasMaven()) return { problem: 'no Maven to download it' };
  log(`downloading Strimzi’s bridge ${version} with Maven, once`);
  await mkdir(dirname(jars), { recursive: true });
  const partial = `${jars}.fetch-${process.pid}`;
  try {
    copyDependencies(POM, partial);
    // Appears by a rename: an interrupted download leaves no partial set.
    renameSync(partial, jars);
    return bridge;
  } catch (error) {
    return { problem: mavenReason((error as Error).message) };
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

/** Returns the version of the bridge in a pom. @throws Error if it names none */
export function versionIn(pom: string): string {
  const [, version] = /<artifactId>kafka-bridge<\/artifactId>\s*<version>([^<]+)</.exec(pom) ?? [];
  if (version === undefined) throw new Error('the pom names no kafka-bridge');
  return version;
}

/** Returns the reason in Maven's output, without addresses: a missing jar, or the first error. */
export function mavenReason(output: string): string {
  const [, jar] = /([\w.-]+:[\w.-]+:jar:[\w.-]+)/.exec(output) ?? [];
  if (jar !== undefined) return `Maven does not find ${jar}`;
  const [, error] = /\[ERROR\] (.*)/.exec(output) ?? [];
  return (error ?? output.split('\n')[0] ?? '').replaceAll(/\S+:\/\/\S+/g, '…').trim();
}

/** Returns path and form of events for the bridge; keys and values are stored as JSON. */
export function bridgeForm(topic: string): HttpForm {
  return {
    path: `/topics/${topic}`,
    contentType: 'application/vnd.kafka.json.v2+json',
    encoding: 'records',
    failure: '"error_code"',
  };
}

/** Returns its settings: the durability, linger and compression of the gateway. */
export function bridgeSettings(port: number, brokers: readonly string[]): string {
  const lines = {
    'bridge.id': 'bench',
    'http.host': '127.0.0.1',
    'http.port': port,
    'http.consumer.enabled': false,
    'kafka.bootstrap.servers': brokers.join(','),
    'kafka.producer.acks': 'all',
    'kafka.producer.enable.idempotence': true,
    'kafka.producer.linger.ms': SETTINGS.lingerMs.defaultValue(),
    'kafka.producer.compression.type': SETTINGS.compression.defaultValue(),
  };
  return Object.entries(lines)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/**
 * Starts the bridge. Its JVM configures itself for all cores, and then runs on the worker's.
 * @throws Error if it does not accept requests in time
 */
export async function startBridge(
  { version, java, jars }: Bridge,
  places: Places,
  brokers: readonly string[],
): Promise<Target> {
  const [port] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), 'forebay-bridge-'));
  const settings = join(folder, 'application.properties');
  writeFileSync(settings, bridgeSettings(port!, brokers));
  moveTo(places.all, process.pid);
  const child = spawn(
    java,
    ['-XX:-UsePerfData', '-Dlog4j2.level=ERROR', MAIN_CLASS, `--config-file=${settings}`],
    { env: { ...process.env, CLASSPATH: classPath(jars) }, stdio: ['ignore', 2, 2] },
  );
  moveTo(places.rest, process.pid);
  const killOnExit = () => child.kill('SIGKILL');
  process.once('exit', killOnExit);
  const stop = async () => {
    await stopChild(child);
    process.off('exit', killOnExit);
    rmSync(folder, { recursive: true });
  };
  try {
    const what = `Strimzi’s bridge ${version}`;
    const settled = async () => hasEnded(child) || (await responds(port!));
    await until(settled, { deadlineMs: START_MS_MAX, what: `${what} on port ${port}` });
    if (hasEnded(child)) throw new Error(`${what} has exited with code ${child.exitCode}`);
    moveTo(places.worker, child.pid!);
  } catch (error) {
    await stop();
    throw error;
  }
  return { name: 'bridge', port: port!, processes: () => [child.pid!], stop };
}

async function responds(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/`).then(
    ({ ok }) => ok,
    () => false,
  );
}

function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (hasEnded(child)) return;
  const ended = new Promise<void>((done) => child.once('exit', () => done()));
  child.kill();
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await ended;
  clearTimeout(timer);
}

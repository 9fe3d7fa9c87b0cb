/**
 * The Kafka that `make kafka` keeps running between commands: on this machine's Java, else in
 * Docker Compose. A state file describes it; readers verify that it is still true.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster } from './cluster.ts';
import { haveJars, isAlive, ROOT } from './jars.ts';
import { aliveNodes } from './node.ts';
import { freePorts, isFree } from './ports.ts';
import { argumentsOf } from './processes.ts';
import { findAnyJava, findDocker, hasMaven, missingTools, NoTools, runsOnJava } from './tools.ts';

export interface State {
  kind: 'java' | 'docker';
  /** Of Java; empty for Docker. */
  pids: number[];
  brokers: string[];
  /** Data folder of Java; the project for Docker. */
  dir: string;
}

export interface Place {
  stateFile: string;
  dataDir: string;
  /** Preferred port at the first start; afterwards the previous port is reused. */
  port: number;
}

export const PLACE: Place = {
  stateFile: join(ROOT, '.kafka.json'),
  dataDir: join(ROOT, '.cache/kafka/data'),
  port: 9092,
};

type Say = (line: string) => void;

const PORT_MAX = 65_535;

const STOP_TIMEOUT_MS = 20_000;
const ANSWER_TIMEOUT_MS = 20_000;

function readState(place: Place): State | undefined {
  if (!existsSync(place.stateFile)) return undefined;
  try {
    const state = JSON.parse(readFileSync(place.stateFile, 'utf8')) as Partial<State> | null;
    return isState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

/** False for files written by hand or by another version: they count as no state. */
function isState(state: Partial<State> | null): state is State {
  const { kind, pids, brokers, dir } = state ?? {};
  const isKind = kind === 'java' || kind === 'docker';
  return isKind && Array.isArray(pids) && Array.isArray(brokers) && typeof dir === 'string';
}

async function writeState(place: Place, state: State): Promise<void> {
  const partial = `${place.dataDir}.state-${process.pid}`;
  await writeFile(partial, `${JSON.stringify(state, null, 2)}\n`);
  await rename(partial, place.stateFile);
  await rememberPort(place, state);
}

function portFile(place: Place): string {
  return `${place.dataDir}.port`;
}

/** Keeps the port after this Kafka has stopped: running gateways reconnect to it. */
async function rememberPort(place: Place, { brokers }: State): Promise<void> {
  const port = brokers[0]?.split(':').pop();
  const partial = `${portFile(place)}-${process.pid}`;
  await writeFile(partial, `${port}\n`);
  await rename(partial, portFile(place));
}

/** Last port of this Kafka; undefined before its first start. */
function rememberedPort(place: Place): number | undefined {
  if (!existsSync(portFile(place))) return undefined;
  const port = Number(readFileSync(portFile(place), 'utf8'));
  return Number.isInteger(port) && port > 0 && port <= PORT_MAX ? port : undefined;
}

/** Processes of the state that are still that Kafka: process ids are reused. */
function running(state: State): number[] {
  return state.pids.filter((pid) => argumentsOf(pid)?.includes(join(state.dir, 'node-')));
}

function compose(args: string[], env: Record<string, string> = {}) {
  const options = { cwd: ROOT, encoding: 'utf8', env: { ...process.env, ...env } } as const;
  return spawnSync('docker', ['compose', ...args], options);
}

async function answers(state: State, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    for (const broker of state.brokers) {
      if ((await aliveNodes(broker)).length > 0) return true;
    }
    if (performance.now() > deadline) return false;
    await sleep(200);
  }
}

/** Serializes concurrent `up`: the second one finds the first one's Kafka. */
async function locked<T>(place: Place, action: () => Promise<T>): Promise<T> {
  const file = `${place.dataDir}.lock`;
  await mkdir(dirname(file), { recursive: true });
  for (;;) {
    const handle = await open(file, 'wx').catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    if (handle !== undefined) {
      await handle.writeFile(String(process.pid));
      await handle.close();
      break;
    }
    // A lock without a holder yet was just created: it is read again.
    const holder = Number(existsSync(file) ? readFileSync(file, 'utf8') : '');
    await sleep(200);
    if (holder > 0 && !isAlive(holder)) await rm(file, { force: true });
  }
  try {
    return await action();
  } finally {
    await rm(file, { force: true });
  }
}

/**
 * Port of a starting Kafka: the requested one, else the previous one, else the preferred one, else
 * any.
 * @throws Error if the requested port is in use
 */
async function choosePort(place: Place, asked: number | undefined, say: Say): Promise<number> {
  const before = rememberedPort(place);
  const wanted = asked ?? before ?? place.port;
  const instead = `if that program is a Kafka to use instead: KAFKA_BROKERS=127.0.0.1:${wanted}`;
  if (await isFree(wanted)) {
    if (asked === undefined && wanted !== place.port) {
      say(`Kafka keeps port ${wanted}; to move it: make kafka ARGS="--port ${place.port}"`);
    }
    return wanted;
  }
  if (asked !== undefined)
    throw new Error(`port ${asked} is in use by another program; ${instead}`);
  const preferred = (await isFree(place.port)) ? place.port : undefined;
  const port = preferred ?? (await freePorts(1))[0];
  if (port === undefined) throw new Error('no free port');
  say(`port ${wanted} is in use by another program: Kafka uses ${port}`);
  if (before !== undefined) say(`restart gateways that still connect to port ${wanted}`);
  say(instead);
  return port;
}

async function startJava(place: Place, port: number, say: Say): Promise<State> {
  const ports = [port];
  const cluster = await startCluster({ dir: place.dataDir, ports, outlives: true, say });
  const pids = cluster.nodes.flatMap((node) => node.pid ?? []);
  return { kind: 'java', pids, brokers: [...cluster.brokers], dir: place.dataDir };
}

function startDocker(port: number, say: Say): State {
  say('starting Kafka with Docker Compose');
  const env = { KAFKA_HOST_PORT: String(port) };
  const started = compose(['up', '--detach', '--wait', 'kafka'], env);
  if (started.status !== 0) throw new Error(`docker compose up failed\n${started.stderr.trim()}`);
  return { kind: 'docker', pids: [], brokers: [`127.0.0.1:${port}`], dir: ROOT };
}

/** Kafka of the state file if it runs, else undefined. Throws if it runs but does not respond. */
async function reuse(place: Place): Promise<State | undefined> {
  const state = readState(place);
  if (state === undefined) return undefined;
  if (state.kind === 'docker') return (await answers(state, 0)) ? state : undefined;
  if (running(state).length === 0) return undefined;
  if (await answers(state, ANSWER_TIMEOUT_MS)) return state;
  const pids = running(state);
  if (pids.length === 0) return undefined;
  throw new Error(`Kafka (process ${pids.join(', ')}) does not respond: make kafka-stop`);
}

/**
 * Ensures that Kafka runs: reuses a running one, or starts one on the existing data.
 * @param asked required port
 * @throws Error if it fails to start, or runs on another port than `asked`; NoTools if nothing is
 * installed to run it
 */
export function up(place: Place, say: Say, asked?: number): Promise<State> {
  return locked(place, async () => {
    const running = await reuse(place);
    if (running !== undefined) {
      if (asked === undefined || running.brokers[0]?.endsWith(`:${asked}`)) return running;
      throw new Error(
        `Kafka is already running at ${running.brokers.join(',')}: make kafka-stop first`,
      );
    }
    const tools = { java: findAnyJava(), maven: haveJars() || hasMaven() };
    let state: State;
    if (runsOnJava(tools)) {
      state = await startJava(place, await choosePort(place, asked, say), say);
    } else {
      const docker = findDocker();
      if (docker !== 'usable') {
        const message = missingTools({ ...tools, docker });
        throw docker === 'not installed' ? new NoTools(message) : new Error(message);
      }
      state = startDocker(await choosePort(place, asked, say), say);
    }
    await writeState(place, state);
    return state;
  });
}

/** Stops the state file's Kafka and keeps its data. False if none ran. */
export async function down(place: Place): Promise<boolean> {
  const state = readState(place);
  if (state === undefined) return false;
  const ended = state.kind === 'docker' ? stopDocker() : await stopJava(state);
  if (ended) await rememberPort(place, state);
  await rm(place.stateFile, { force: true });
  return ended;
}

function stopDocker(): boolean {
  const stopped = compose(['stop', 'kafka']);
  if (stopped.status !== 0) throw new Error(`docker compose stop failed\n${stopped.stderr.trim()}`);
  return true;
}

async function stopJava(state: State): Promise<boolean> {
  if (running(state).length === 0) return false;
  for (const pid of running(state)) process.kill(pid, 'SIGTERM');
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (running(state).length > 0) {
    await sleep(50);
    if (performance.now() < deadline) continue;
    for (const pid of running(state)) process.kill(pid, 'SIGKILL');
  }
  return true;
}

/** Brokers of the state file's Kafka; undefined if it has stopped. */
export function runningBrokers(place: Place): string[] | undefined {
  const state = readState(place);
  if (state === undefined) return undefined;
  return state.kind === 'docker' || running(state).length > 0 ? state.brokers : undefined;
}

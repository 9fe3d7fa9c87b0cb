/**
 * Writes a CPU profile of one worker under one of the LOADS to bench/out/profile/, and summarizes
 * it with its memory: `node --import tsx bench/profile.ts [LOAD]`. Uses the same Kafka as
 * bench/run.ts.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../deploy/kafka/jars.ts';
import { PLACE, up } from '../deploy/kafka/service.ts';
import { readConfig } from '../src/config/config.ts';
import { MIB } from '../src/config/limits.ts';
import { type Gateway, startGateway } from '../testing/gateway.ts';
import { exitWhenInterrupted } from '../testing/interruption.ts';
import { deleteTopic } from '../testing/topic.ts';
import { choosePlaces, moveTo, type Places } from './lab/cores.ts';
import { cpuSecondsOf } from './lab/cpu.ts';
import { peakBytesOf } from './lab/memory.ts';
import { LoadClient } from './load/client.ts';
import { type CpuProfile, type ProfileSummary, summarize } from './profile/cpu-profile.ts';
import { summaryText } from './profile/summary.ts';

const FOLDER = 'bench/out/profile';
const INTERVAL_MICROS = 500;
const SHAPE = { run: 'profile', connections: 64, framesPerPacket: 1, eventBytes: 140 };

interface ProfiledLoad {
  readonly eventsPerSecond: number;
  readonly eventsPerFrame: number;
  readonly env?: Readonly<Record<string, string>>;
}

const LOADS: Readonly<Record<string, ProfiledLoad>> = {
  single: { eventsPerSecond: 20_000, eventsPerFrame: 1 },
  batched: { eventsPerSecond: 100_000, eventsPerFrame: 50 },
  // More than a core can handle, and a buffer smaller than what connections may have in flight.
  full: {
    eventsPerSecond: 500_000,
    eventsPerFrame: 50,
    env: { FOREBAY_BUFFER_BYTES: String(16 * MIB) },
  },
};
/** Interval of the samples of its memory; workers report their metrics once a second. */
const SAMPLE_MS = 500;
const SAMPLED = ['forebay_buffer_bytes', 'forebay_input_bytes'] as const;
/** Minimum coverage of the window; below it, the clocks of window and profile differ. */
const COVERED_LEAST = 0.95;
const TIMES = { warmUpMs: 3_000, windowMs: 15_000, settleMs: 10_000, dropQueue: true };

/** One end of the window. */
interface Mark {
  readonly micros: number;
  readonly mainCpuMs: number;
  readonly cpuMs: number;
}

async function brokersFor({ rest }: Places): Promise<readonly string[]> {
  if (process.env.KAFKA_BROKERS) return readConfig(process.env).kafkaBrokers;
  const { brokers, pids } = await up(PLACE, console.log);
  for (const pid of pids) moveTo(rest, pid);
  return brokers;
}

/** Uses the clock of the profile, CLOCK_MONOTONIC. */
function markOf(worker: number): Mark {
  const main = readFileSync(`/proc/${worker}/task/${worker}/schedstat`, 'utf8');
  return {
    micros: Number(process.hrtime.bigint() / 1000n),
    mainCpuMs: Number(main.split(' ')[0]) / 1e6,
    cpuMs: cpuSecondsOf(worker) * 1000,
  };
}

/** Samples metrics of the gateway until `stop`. @returns their maxima, in MiB */
function sampleMemory(gateway: Gateway): { stop(): Promise<ReadonlyMap<string, number>> } {
  const most = new Map<string, number>(SAMPLED.map((name) => [name, 0]));
  const ending = new AbortController();
  const sampling = (async () => {
    while (!ending.signal.aborted) {
      const metrics = await gateway.metrics();
      for (const name of SAMPLED) {
        most.set(name, Math.max(most.get(name)!, metrics.value(name) / MIB));
      }
      await sleep(SAMPLE_MS, undefined, ending).catch(() => {});
    }
  })();
  return {
    async stop() {
      ending.abort();
      await sampling;
      return most;
    },
  };
}

/** Runs the load. @returns the window's ends, the events acknowledged in it, and its memory, MiB */
async function loaded(gateway: Gateway, worker: number, { rest }: Places, load: ProfiledLoad) {
  const client = new LoadClient(rest);
  const { eventsPerSecond, eventsPerFrame } = load;
  try {
    await client.open({ ...SHAPE, eventsPerSecond, eventsPerFrame, port: gateway.port });
    const marks: Mark[] = [];
    const onMark = () => void marks.push(markOf(worker));
    const memory = sampleMemory(gateway);
    const { window, problems, refusedEvents } = await client
      .run({ ...TIMES, onMark })
      .finally(() => memory.stop());
    if (problems.length > 0) throw new Error(`the load: ${problems.join('; ')}`);
    const most = new Map([...(await memory.stop()), ['resident', peakBytesOf(worker) / MIB]]);
    const refused = Object.values(refusedEvents).reduce((sum, events) => sum + events, 0);
    return { begin: marks[0]!, end: marks[1]!, events: window.ackedEvents, refused, most };
  } finally {
    await client.stop();
  }
}

/** Moves the worker's profile; the primary writes one too. @throws Error if there is none */
function collectProfile(worker: number): CpuProfile {
  const written = readdirSync(FOLDER).filter((name) => name.endsWith('.cpuprofile'));
  // CPU.date.time.PID.thread.number.cpuprofile
  const name = written.find((one) => one.split('.')[3] === String(worker));
  if (name === undefined) throw new Error('the worker wrote no profile');
  for (const other of written) if (other !== name) rmSync(join(FOLDER, other));
  const kept = join(FOLDER, 'worker.cpuprofile');
  renameSync(join(FOLDER, name), kept);
  return JSON.parse(readFileSync(kept, 'utf8')) as CpuProfile;
}

/** @throws Error if the profile does not cover the window */
function summarizeWindow(profile: CpuProfile, begin: Mark, end: Mark): ProfileSummary {
  const summary = summarize(profile, { fromMicros: begin.micros, toMicros: end.micros });
  const { idle, garbageCollection, program, javaScript } = summary;
  const covered = (idle + garbageCollection + program + javaScript) / (end.micros - begin.micros);
  if (covered >= COVERED_LEAST) return summary;
  throw new Error(`the profile covers ${(covered * 100).toFixed(0)}% of the window`);
}

async function main([name = 'single', ...rest]: readonly string[]): Promise<void> {
  process.chdir(ROOT);
  const load = LOADS[name];
  if (load === undefined || rest.length > 0) {
    throw new Error(`profile: give one load of ${Object.keys(LOADS).join(', ')}`);
  }
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const places = choosePlaces();
  const brokers = await brokersFor(places);
  const topic = `bench-profile-${randomUUID().slice(0, 13)}`;
  // Workers inherit these; NODE_OPTIONS rejects --cpu-prof in Node.js 20.
  const nodeArgs = ['--cpu-prof', `--cpu-prof-dir=${FOLDER}`, '--cpu-prof-interval'];
  nodeArgs.push(String(INTERVAL_MICROS));
  const gateway = await startGateway({ brokers, topic, nodeArgs, env: { ...load.env } });
  try {
    const [worker] = gateway.workers();
    moveTo(places.worker, worker!);
    moveTo(places.rest, gateway.pid);
    const text = loadText(load);
    console.log(`${text}, for ${TIMES.windowMs / 1000} s …`);
    const found = await loaded(gateway, worker!, places, load);
    const { begin, end, events, refused, most } = found;
    const { code } = await gateway.stop();
    if (code !== 0) throw new Error(`the gateway exited with code ${code}`);
    const summary = summarizeWindow(collectProfile(worker!), begin, end);
    const summaryOf = summaryText(summary, {
      setup: `${text}; ${places.text}`,
      windowMs: (end.micros - begin.micros) / 1000,
      events,
      mainCpuMs: end.mainCpuMs - begin.mainCpuMs,
      cpuMs: end.cpuMs - begin.cpuMs,
      refused,
      mostMiB: most,
    });
    writeFileSync(join(FOLDER, 'summary.txt'), summaryOf);
    console.log(`\n${summaryOf}\n${FOLDER}/worker.cpuprofile, ${FOLDER}/summary.txt`);
  } finally {
    await gateway.kill();
    await deleteTopic({ brokers, topic });
  }
}

/** Returns the text of a load. */
function loadText({ eventsPerSecond, eventsPerFrame, env = {} }: ProfiledLoad): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [
    `${eventsPerSecond.toLocaleString('en-US')} events/s`,
    `${eventsPerFrame} per frame`,
    `${SHAPE.connections} connections`,
    ...settings,
  ].join(', ');
}

exitWhenInterrupted();
try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}

/**
 * Writes a CPU profile of one worker under fixed load to bench/out/profile/, and summarizes it:
 * `node --import tsx bench/profile.ts`. Uses the same Kafka as bench/run.ts.
 */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../deploy/kafka/jars.ts';
import { PLACE, up } from '../deploy/kafka/service.ts';
import { readConfig } from '../src/config/config.ts';
import { type Gateway, startGateway } from '../testing/gateway.ts';
import { deleteTopic } from '../testing/topic.ts';
import { choosePlaces, moveTo, type Places } from './lab/cores.ts';
import { cpuSecondsOf } from './lab/cpu.ts';
import { LoadClient } from './load/client.ts';
import { type CpuProfile, type ProfileSummary, summarize } from './profile/cpu-profile.ts';
import { summaryText } from './profile/summary.ts';

const FOLDER = 'bench/out/profile';
const INTERVAL_MICROS = 500;
const SHAPE = {
  run: 'profile',
  connections: 64,
  eventsPerSecond: 20_000,
  eventsPerFrame: 1,
  framesPerPacket: 1,
  eventBytes: 140,
};
/** Minimum coverage of the window; below it, the clocks of window and profile differ. */
const COVERED_LEAST = 0.95;
const TIMES = { warmUpMs: 3_000, windowMs: 15_000, settleMs: 10_000 };

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

/** Runs the load. @returns the window's ends, and the events acknowledged in it */
async function loaded(gateway: Gateway, worker: number, { rest }: Places) {
  const client = new LoadClient(rest);
  try {
    await client.open({ ...SHAPE, port: gateway.port });
    const marks: Mark[] = [];
    const onMark = () => void marks.push(markOf(worker));
    const { window, problems } = await client.run({ ...TIMES, onMark });
    if (problems.length > 0) throw new Error(`the load: ${problems.join('; ')}`);
    return { begin: marks[0]!, end: marks[1]!, events: window.ackedEvents };
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

async function main(): Promise<void> {
  process.chdir(ROOT);
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER, { recursive: true });
  const places = choosePlaces();
  const brokers = await brokersFor(places);
  const topic = `bench-profile-${randomUUID().slice(0, 13)}`;
  // Workers inherit these; NODE_OPTIONS rejects --cpu-prof in Node.js 20.
  const nodeArgs = ['--cpu-prof', `--cpu-prof-dir=${FOLDER}`, '--cpu-prof-interval'];
  nodeArgs.push(String(INTERVAL_MICROS));
  const gateway = await startGateway({ brokers, topic, nodeArgs });
  try {
    const [worker] = gateway.workers();
    moveTo(places.worker, worker!);
    moveTo(places.rest, gateway.pid);
    const { eventsPerSecond, connections } = SHAPE;
    const load = `${eventsPerSecond.toLocaleString('en-US')} events/s, one per frame, ${connections} connections`;
    console.log(`${load}, for ${TIMES.windowMs / 1000} s …`);
    const { begin, end, events } = await loaded(gateway, worker!, places);
    const { code } = await gateway.stop();
    if (code !== 0) throw new Error(`the gateway exited with code ${code}`);
    const summary = summarizeWindow(collectProfile(worker!), begin, end);
    const text = summaryText(summary, {
      setup: `${load}; ${places.text}`,
      windowMs: (end.micros - begin.micros) / 1000,
      events,
      mainCpuMs: end.mainCpuMs - begin.mainCpuMs,
      cpuMs: end.cpuMs - begin.cpuMs,
    });
    writeFileSync(join(FOLDER, 'summary.txt'), text);
    console.log(`\n${text}\n${FOLDER}/worker.cpuprofile, ${FOLDER}/summary.txt`);
  } finally {
    await gateway.kill();
    await deleteTopic({ brokers, topic });
  }
}

try {
  await main();
} catch (error) {
  console.error(`bench: ${(error as Error).message}`);
  process.exitCode = 1;
}

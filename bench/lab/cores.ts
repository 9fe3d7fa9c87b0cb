/** Who runs on which core. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { hasTool } from '../../testing/tools.ts';

export interface Places {
  /** The worker under test, alone; undefined = the kernel decides. */
  readonly worker: string | undefined;
  /** Load client, Kafka, primary, the bench itself. */
  readonly rest: string | undefined;
  readonly all: string | undefined;
  /** For the results. */
  readonly text: string;
}

/**
 * With `taskset` and two cores or more, the last one is the worker's.
 * @param kafkaIsHere Kafka's processes can be moved
 */
export function choosePlaces(kafkaIsHere = true): Places {
  const count = cpus().length;
  if (!hasTool('taskset') || count < 2) {
    const why = count < 2 ? 'one core' : 'no taskset';
    return {
      worker: undefined,
      rest: undefined,
      all: undefined,
      text: `nothing is pinned: ${why}`,
    };
  }
  const rest = count === 2 ? '0' : `0-${count - 2}`;
  const others = kafkaIsHere ? 'load client, Kafka and primary' : 'load client and primary';
  const where = count === 2 ? 'core 0' : `cores ${rest}`;
  const kafka = kafkaIsHere ? '' : '; Kafka elsewhere';
  return {
    worker: String(count - 1),
    rest,
    all: `0-${count - 1}`,
    text: `worker on core ${count - 1} alone; ${others} on ${where}${kafka}`,
  };
}

/** The command with which a process begins on these cores. */
export function underCores(cores: string | undefined, command: readonly string[]): string[] {
  return cores === undefined ? [...command] : ['taskset', '-c', cores, ...command];
}

/** Moves a process that runs, all of its threads. @throws Error when it cannot be moved */
export function moveTo(cores: string | undefined, pid: number): void {
  if (cores === undefined) return;
  const { status, stderr } = spawnSync('taskset', ['-acp', cores, String(pid)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`taskset of process ${pid}: ${stderr.trim()}`);
}

/** Cores that process what arrives at the loopback interface, as a bit mask; 0 = the sender's. */
const STEERING = '/sys/class/net/lo/queues/rx-0/rps_cpus';

/**
 * Has every core but the last process what arrives at the loopback interface. By default the core
 * that sends does, so that each acknowledgment of a worker's kernel would send the next data of its
 * peer on the core that is to be the worker's alone; no network card does that. Needs root.
 * @returns undoes it
 */
export function steerLoopback(): () => void {
  try {
    const before = readFileSync(STEERING, 'utf8').trim();
    writeFileSync(STEERING, maskOf(cpus().length - 1));
    return () => writeFileSync(STEERING, before);
  } catch {
    return () => {};
  }
}

/** The first `count` cores in the kernel's notation: 32 bits in hexadecimal to a group. */
function maskOf(count: number): string {
  const digits = ((1n << BigInt(count)) - 1n).toString(16);
  return digits.replace(/\B(?=(?:[0-9a-f]{8})+$)/g, ',');
}

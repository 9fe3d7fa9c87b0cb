/** Assignment of processes to cores. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { hasTool } from '../../testing/tools.ts';

export interface Places {
  /** Core of the worker under test; undefined = the kernel decides. */
  readonly worker: string | undefined;
  /** Cores of load client, Kafka, primary and the bench itself. */
  readonly rest: string | undefined;
  readonly all: string | undefined;
  /** Description for the results. */
  readonly text: string;
}

/**
 * Returns the last core for the worker, given `taskset` and at least two cores.
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
      text: `not pinned: ${why}`,
    };
  }
  const rest = count === 2 ? '0' : `0-${count - 2}`;
  const others = kafkaIsHere ? 'load client, Kafka and primary' : 'load client and primary';
  const where = count === 2 ? 'core 0' : `cores ${rest}`;
  const kafka = kafkaIsHere ? '' : '; Kafka on other machines';
  return {
    worker: String(count - 1),
    rest,
    all: `0-${count - 1}`,
    text: `worker alone on core ${count - 1}; ${others} on ${where}${kafka}`,
  };
}

/** Returns the command that starts a process on these cores. */
export function underCores(cores: string | undefined, command: readonly string[]): string[] {
  return cores === undefined ? [...command] : ['taskset', '-c', cores, ...command];
}

/** Moves a running process with all of its threads. @throws Error if that fails */
export function moveTo(cores: string | undefined, pid: number): void {
  if (cores === undefined) return;
  const { status, stderr } = spawnSync('taskset', ['-acp', cores, String(pid)], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`taskset of process ${pid}: ${stderr.trim()}`);
}

/** Bit mask of cores that process loopback input; 0 = the sending core. */
const STEERING = '/sys/class/net/lo/queues/rx-0/rps_cpus';

/**
 * Lets all cores but the last process loopback input. By default the sending core does, so each TCP
 * acknowledgement of a worker's kernel would run the peer's next send on the worker's dedicated
 * core, unlike a network card. Requires root.
 * @returns a function that undoes it
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

/** Returns a mask of the first `count` cores in the kernel's notation: groups of 32 bits in hex. */
function maskOf(count: number): string {
  const digits = ((1n << BigInt(count)) - 1n).toString(16);
  return digits.replace(/\B(?=(?:[0-9a-f]{8})+$)/g, ',');
}

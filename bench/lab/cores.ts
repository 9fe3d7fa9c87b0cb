/** Who runs on which core. */
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { hasTool } from '../../test/support/tools.ts';

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

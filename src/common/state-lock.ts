/** Lock file that keeps two processes from using the same files at the same time. */
import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, readlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { attempt, EXIT, StartError, systemReason } from './errors.ts';

/** Scope of process numbers; facts that the system does not tell are absent. */
interface Place {
  readonly host: string;
  /** Id of the boot of the machine: hosts may share a name. */
  readonly boot?: string | undefined;
  /** Namespace of process numbers: containers may share a host name. */
  readonly namespace?: string | undefined;
}

/** Content of a lock file. */
interface Holder extends Place {
  readonly pid: number;
  /** Start of the process, in ticks since the boot; absent where the system does not tell. */
  readonly started?: string | undefined;
  readonly nonce: string;
}

/** Positions in /proc/PID/stat, after the name in parentheses. */
const STATE_FIELD = 0;
const START_TIME_FIELD = 19;
/** States of a process that has ended and was not waited for. */
const ENDED = new Set(['Z', 'X']);

/** Command that takes a lock, as messages name it. */
export interface LockUser {
  /** Name of the command. */
  readonly command: string;
  /** Continues "process 17 is". */
  readonly activity: string;
}

const REPLAY: LockUser = { command: 'replay', activity: 'replaying with this state file' };

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

/** A lock that this process holds. */
export class StateLock {
  readonly #path: string;
  readonly #nonce = randomUUID();

  /**
   * Takes the lock, and creates its folder. That of a process that has ended is replaced.
   * @param path of the lock file
   * @param user for messages
   * @throws StartError (exit code 1) if another process holds it, or it cannot be written
   */
  constructor(path: string, user = REPLAY) {
    this.#path = path;
    const { pid } = process;
    const holder: Holder = {
      pid,
      ...placeOfThis(),
      started: statOf(pid)?.[START_TIME_FIELD],
      nonce: this.#nonce,
    };
    for (const isLast of [false, true]) {
      try {
        mkdirSync(dirname(path), { recursive: true, mode: FOLDER_MODE });
        writeFileSync(path, `${JSON.stringify(holder)}\n`, { flag: 'wx', mode: FILE_MODE });
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
          throw failed(user, `cannot create ${path}: ${systemReason(error)}`);
        }
      }
      const other = readHolder(path);
      if (isLast || (other !== undefined && mayRun(other))) {
        throw failed(user, heldBy(path, other, user));
      }
      attempt(() => unlinkSync(path));
    }
  }

  /** Removes the lock file, unless another process has replaced it. */
  release(): void {
    if (readHolder(this.#path)?.nonce === this.#nonce) attempt(() => unlinkSync(this.#path));
  }
}

/** Undefined for a file that is gone, or was not written to its end. */
function readHolder(path: string): Holder | undefined {
  const value = attempt(() => JSON.parse(readFileSync(path, 'utf8')) as Partial<Holder> | null);
  const { pid, host, nonce } = value ?? {};
  const isHolder = Number.isSafeInteger(pid) && typeof host === 'string' && nonce !== undefined;
  return isHolder ? (value as Holder) : undefined;
}

/** Returns whether the holder may be running: only processes of this place can be looked up. */
function mayRun(holder: Holder): boolean {
  const { pid, started } = holder;
  if (!isHere(holder)) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
  const stat = statOf(pid);
  if (stat === undefined) return true;
  if (ENDED.has(stat[STATE_FIELD] ?? '')) return false;
  // Otherwise the system has given the number to another process.
  return started === undefined || stat[START_TIME_FIELD] === started;
}

function placeOfThis(): Place {
  return {
    host: hostname(),
    boot: attempt(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()),
    namespace: attempt(() => readlinkSync('/proc/self/ns/pid')),
  };
}

function isHere({ host, boot, namespace }: Place): boolean {
  const here = placeOfThis();
  return host === here.host && boot === here.boot && namespace === here.namespace;
}

/** Returns the facts about a process; undefined where there is no /proc. */
function statOf(pid: number): string[] | undefined {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function heldBy(path: string, holder: Holder | undefined, user: LockUser): string {
  const { command, activity } = user;
  if (holder === undefined) return `another ${command} has just taken ${path}; try again`;
  const { pid, host } = holder;
  if (isHere(holder)) return `process ${pid} is ${activity}`;
  const other = host === hostname() ? 'in another container or boot' : `on ${host}`;
  return `process ${pid} ${other} is ${activity}; if it has ended, remove ${path}`;
}

function failed({ command }: LockUser, message: string): StartError {
  return new StartError(`${command}: ${message}`, EXIT.failed);
}

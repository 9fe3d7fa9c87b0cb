/**
 * Keeps one worker alive per slot. A worker is identified by an id that is never reused; its
 * states:
 *
 *   starting --listens--> ready --drain(), handOver()--> draining
 *      |                    |                               |
 *      +------ dies --------+-------------------------------+
 *
 * A slot has one serving worker. During its replacement the slot has a second one: before
 * handOver() the replacement, afterwards the draining predecessor. When the serving worker dies,
 * the replacement takes over if there is one, else a new worker starts after a delay (not after
 * drain() or kill()).
 */
import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { backoffMs } from '../common/backoff.ts';
import { LIMITS } from '../config/limits.ts';
import type { ToPrimary, ToWorker } from '../ipc.ts';
import type { WORKER_STATES } from '../metrics/labels.ts';
import type { WorkerCause } from './metric-totals.ts';
import { WORKER_SLOT, type WorkerEnvironment } from './worker-env.ts';
import {
  type CreateWorker,
  type Ending,
  type WorkerHandle,
  WorkerProcess,
} from './worker-process.ts';

export type WorkerState = (typeof WORKER_STATES)[number];

/** Death of a worker, and its consequences. */
export interface Death extends Ending {
  readonly pid: number | undefined;
  readonly cause: WorkerCause;
  /** The worker had accepted connections. */
  readonly listened: boolean;
  /** Delay until the slot gets a new worker, in milliseconds; undefined = it gets none. */
  readonly restartMs: number | undefined;
}

export interface SupervisorHooks {
  /** A worker was forked for the slot. */
  forked(slot: number, worker: number): void;
  /** The worker receives messages from now on: its first message has arrived. */
  attached(worker: number): void;
  /** A message from a worker. */
  message(slot: number, worker: number, message: ToPrimary): void;
  died(slot: number, worker: number, death: Death): void;
  /** Workers keep dying before they listen; further retries are futile. */
  gaveUp(death: Death): void;
  /** After drain(): all workers have exited. */
  allEnded(): void;
}

export interface SupervisorOptions {
  /** File that workers run. */
  readonly exec: string;
  /** Default: each worker is a process. */
  readonly createWorker?: CreateWorker | undefined;
  readonly slots: number;
  /** Environment of the workers: additions to our own, and variables that they do not inherit. */
  readonly env: WorkerEnvironment;
  readonly hooks: SupervisorHooks;
}

interface Worker {
  readonly process: WorkerHandle;
  readonly slot: Slot;
  state: Exclude<WorkerState, 'dead'>;
  attached: boolean;
  /** Start of listening, by the monotonic clock; undefined = not yet. */
  listenedAtMs: number | undefined;
  /** Cause to record if it dies. */
  cause: WorkerCause;
}

interface Slot {
  readonly number: number;
  serving: Worker | undefined;
  replacement: Worker | undefined;
  /** Consecutive deaths without a stable run in between. */
  deaths: number;
  /** Consecutive deaths before listening. */
  failedStarts: number;
  restart: NodeJS.Timeout | undefined;
}

export class Supervisor {
  readonly #slots: readonly Slot[];
  /** Live workers, by id. */
  readonly #workers = new Map<number, Worker>();
  readonly #exec: string;
  readonly #createWorker: CreateWorker;
  readonly #env: WorkerEnvironment;
  readonly #hooks: SupervisorHooks;
  #stopping = false;

  constructor({ exec, createWorker, slots, env, hooks }: SupervisorOptions) {
    assert(slots >= 1, 'at least one worker');
    this.#exec = exec;
    this.#createWorker = createWorker ?? ((...parts) => new WorkerProcess(...parts));
    this.#env = env;
    this.#hooks = hooks;
    this.#slots = Array.from({ length: slots }, (_, index) => ({
      number: index + 1,
      serving: undefined,
      replacement: undefined,
      deaths: 0,
      failedStarts: 0,
      restart: undefined,
    }));
  }

  /** Forks all workers; does nothing after drain(). */
  start(): void {
    if (this.#stopping) return;
    const inherited = cluster.settings.execArgv ?? process.execArgv;
    const execArgv = [...inherited, `--max-semi-space-size=${LIMITS.semiSpaceMib}`];
    // Workers accept by themselves: the primary would pass on one connection per turn of a worker,
    // and drop those that wait when the last one stops. On Windows they would share them unevenly.
    const isWindows = process.platform === 'win32';
    cluster.schedulingPolicy = isWindows ? cluster.SCHED_RR : cluster.SCHED_NONE;
    cluster.setupPrimary({ exec: this.#exec, args: [], execArgv, serialization: 'advanced' });
    for (const slot of this.#slots) slot.serving = this.#fork(slot);
  }

  /** Workers in `state`; dead: slots without a serving worker. */
  count(state: WorkerState): number {
    if (state === 'dead') return this.#slots.filter(({ serving }) => serving === undefined).length;
    return [...this.#workers.values()].filter((worker) => worker.state === state).length;
  }

  /** States of each slot's workers, the older first; empty: it waits for a new one. */
  states(): WorkerState[][] {
    const workers = [...this.#workers.values()];
    return this.#slots.map((slot) =>
      workers.filter((worker) => worker.slot === slot).map(({ state }) => state),
    );
  }

  /** Workers that receive messages. */
  attached(): number[] {
    return [...this.#workers].filter(([, { attached }]) => attached).map(([id]) => id);
  }

  /** Attached workers that are not draining. */
  staying(): number[] {
    return this.attached().filter((id) => this.#workers.get(id)?.state !== 'draining');
  }

  /** Workers whose process is alive. */
  alive(): number[] {
    return [...this.#workers.keys()];
  }

  /** The serving worker of each slot. */
  serving(): (number | undefined)[] {
    return this.#slots.map(({ serving }) => serving?.process.id);
  }

  pid(worker: number): number | undefined {
    return this.#workers.get(worker)?.process.pid;
  }

  /** Sends nothing to a worker that is not attached yet; see {@link SupervisorHooks}. */
  send(worker: number, message: ToWorker): void {
    const found = this.#workers.get(worker);
    if (found?.attached) found.process.send(message);
  }

  /** Sends a message to every attached worker. @returns these workers */
  broadcast(message: ToWorker): number[] {
    for (const worker of this.#workers.keys()) this.send(worker, message);
    return this.attached();
  }

  /** Forks a second worker for the slot. @returns its id */
  replace(number: number): number {
    const slot = this.#slots[number - 1];
    const replaceable = slot?.serving !== undefined && slot.replacement === undefined;
    assert(
      replaceable && !this.#stopping,
      'only a serving worker without a replacement is replaced',
    );
    slot.replacement = this.#fork(slot);
    return slot.replacement.process.id;
  }

  /**
   * Makes the slot's replacement the serving worker. The caller drains the predecessor.
   * @returns the predecessor; undefined if it has died meanwhile
   */
  handOver(number: number): number | undefined {
    const slot = this.#slots[number - 1];
    assert(slot !== undefined, `unknown slot ${number}`);
    const { serving, replacement } = slot;
    if (replacement === undefined) return undefined;
    assert(serving !== undefined, 'a replacement takes over a dead predecessor');
    serving.state = 'draining';
    slot.serving = replacement;
    slot.replacement = undefined;
    slot.deaths = 0;
    return serving.process.id;
  }

  /**
   * Stops starting workers; `allEnded` follows when the last one has exited. The caller drains the
   * workers.
   */
  drain(): void {
    this.#stopping = true;
    for (const slot of this.#slots) clearTimeout(slot.restart);
    for (const worker of this.#workers.values()) worker.state = 'draining';
    if (this.#workers.size === 0) this.#hooks.allEnded();
  }

  /**
   * Kills a worker. A replacement leaves its slot before its process has exited, so that another
   * one may follow immediately.
   */
  kill(worker: number, cause: WorkerCause = 'crash'): void {
    const found = this.#workers.get(worker);
    if (found === undefined) return;
    if (found === found.slot.replacement) found.slot.replacement = undefined;
    found.cause = cause;
    found.process.kill();
  }

  /** Kills all workers and starts no new ones. */
  killAll(): void {
    this.#stopping = true;
    for (const { restart } of this.#slots) clearTimeout(restart);
    for (const worker of this.#workers.keys()) this.kill(worker);
  }

  #fork(slot: Slot): Worker {
    const env = {
      ...this.#env,
      [WORKER_SLOT]: String(slot.number),
      UWS_HTTP_MAX_HEADERS_SIZE: String(LIMITS.headersBytes),
    };
    const worker: Worker = {
      process: this.#createWorker(
        env,
        (message) => this.#message(worker, message),
        (ending) => this.#ended(worker, ending),
      ),
      slot,
      state: 'starting',
      attached: false,
      listenedAtMs: undefined,
      cause: 'crash',
    };
    this.#workers.set(worker.process.id, worker);
    this.#hooks.forked(slot.number, worker.process.id);
    return worker;
  }

  #message(worker: Worker, message: ToPrimary): void {
    const { process, slot } = worker;
    if (!worker.attached) {
      worker.attached = true;
      this.#hooks.attached(process.id);
    }
    const listens = message.type === 'snapshot' && message.status.listening;
    if (listens && worker.listenedAtMs === undefined) {
      worker.listenedAtMs = performance.now();
      slot.failedStarts = 0;
      if (worker.state === 'starting') worker.state = 'ready';
    }
    this.#hooks.message(slot.number, process.id, message);
  }

  #ended(worker: Worker, ending: Ending): void {
    const { process, slot, cause, listenedAtMs } = worker;
    this.#workers.delete(process.id);
    const fields = { ...ending, pid: process.pid, cause, listened: listenedAtMs !== undefined };
    let hopeless = false;
    let restartMs: number | undefined;
    if (worker === slot.replacement) slot.replacement = undefined;
    else if (worker === slot.serving) ({ restartMs, hopeless } = this.#replaceDead(slot, worker));
    const death: Death = { ...fields, restartMs };
    this.#hooks.died(slot.number, process.id, death);
    if (hopeless) this.#hooks.gaveUp(death);
    else if (this.#stopping && this.#workers.size === 0) this.#hooks.allEnded();
  }

  /** Lets a replacement or a new worker serve a slot. */
  #replaceDead(slot: Slot, { listenedAtMs }: Worker) {
    slot.serving = slot.replacement;
    slot.replacement = undefined;
    if (listenedAtMs === undefined) slot.failedStarts++;
    const ranWell =
      listenedAtMs !== undefined && performance.now() - listenedAtMs >= LIMITS.restartDelayMs.last;
    slot.deaths = ranWell ? 1 : slot.deaths + 1;
    if (this.#stopping) return { restartMs: undefined, hopeless: false };
    if (slot.serving !== undefined) return { restartMs: 0, hopeless: false };
    const hopeless = slot.failedStarts >= LIMITS.failedStartsMax && this.count('ready') === 0;
    if (hopeless) return { restartMs: undefined, hopeless };
    const restartMs = backoffMs(LIMITS.restartDelayMs, slot.deaths);
    slot.restart = setTimeout(() => {
      slot.serving = this.#fork(slot);
    }, restartMs);
    return { restartMs, hopeless };
  }
}

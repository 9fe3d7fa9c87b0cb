/**
 * Keeps one worker alive per slot. A worker is known by an id that is never used again; its life:
 *
 *   starting --listens--> ready --drain(), handOver()--> draining
 *      |                    |                               |
 *      +------ dies --------+-------------------------------+
 *
 * A slot has one worker that serves. While that one is replaced it has a second one: before
 * handOver() the replacement, afterwards the predecessor that leaves. When the one that serves
 * dies, the replacement takes its place if there is one, else a new worker after a pause (not after
 * drain() or kill()).
 */
import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { backoffMs } from '../common/backoff.ts';
import { LIMITS } from '../config/limits.ts';
import type { ToPrimary, ToWorker } from '../ipc.ts';
import type { WORKER_STATES } from '../metrics/catalogue.ts';
import type { WorkerCause } from './metric-totals.ts';
import { WORKER_SLOT, type WorkerEnvironment } from './worker-env.ts';
import { type Ending, WorkerProcess } from './worker-process.ts';

export type WorkerState = (typeof WORKER_STATES)[number];

/** A worker's death, and what comes of it. */
export interface Death extends Ending {
  readonly pid: number | undefined;
  readonly cause: WorkerCause;
  /** It had taken connections. */
  readonly listened: boolean;
  /** When the slot gets a new one, in milliseconds; undefined = it does not. */
  readonly restartMs: number | undefined;
}

export interface SupervisorHooks {
  /** A new worker of the slot. */
  forked(slot: number, worker: number): void;
  /** The worker can be spoken to from now on: it has said its first word. */
  attached(worker: number): void;
  /** Anything that a worker says. */
  message(slot: number, worker: number, message: ToPrimary): void;
  died(slot: number, worker: number, death: Death): void;
  /** Workers die before they listen; trying on will not help. */
  gaveUp(death: Death): void;
  /** After drain(): no worker is left. */
  allEnded(): void;
}

export interface SupervisorOptions {
  /** File that workers run. */
  readonly exec: string;
  readonly slots: number;
  /** Variables of the workers beside our own, and those of ours that they do not get. */
  readonly env: WorkerEnvironment;
  readonly hooks: SupervisorHooks;
}

interface Worker {
  readonly process: WorkerProcess;
  readonly slot: Slot;
  state: Exclude<WorkerState, 'dead'>;
  attached: boolean;
  /** When it began to listen, by the monotonic clock; undefined = it has not. */
  listenedAtMs: number | undefined;
  /** What it dies of, if it does. */
  cause: WorkerCause;
}

interface Slot {
  readonly number: number;
  serving: Worker | undefined;
  replacement: Worker | undefined;
  /** Deaths in a row without having run well in between. */
  deaths: number;
  /** Deaths in a row before having listened. */
  failedStarts: number;
  restart: NodeJS.Timeout | undefined;
}

export class Supervisor {
  readonly #slots: readonly Slot[];
  /** All that live, by id. */
  readonly #workers = new Map<number, Worker>();
  readonly #exec: string;
  readonly #env: WorkerEnvironment;
  readonly #hooks: SupervisorHooks;
  #stopping = false;

  constructor({ exec, slots, env, hooks }: SupervisorOptions) {
    assert(slots >= 1, 'an instance has workers');
    this.#exec = exec;
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

  /** Forks all workers; does nothing when drain() came first. */
  start(): void {
    if (this.#stopping) return;
    const inherited = cluster.settings.execArgv ?? process.execArgv;
    const execArgv = [...inherited, `--max-semi-space-size=${LIMITS.semiSpaceMib}`];
    cluster.setupPrimary({ exec: this.#exec, args: [], execArgv, serialization: 'advanced' });
    for (const slot of this.#slots) slot.serving = this.#fork(slot);
  }

  /** How many workers are in `state`; dead: slots without a worker that serves. */
  count(state: WorkerState): number {
    if (state === 'dead') return this.#slots.filter(({ serving }) => serving === undefined).length;
    return [...this.#workers.values()].filter((worker) => worker.state === state).length;
  }

  /** Of each slot the states of its workers, the elder first; none: it waits for a new one. */
  states(): WorkerState[][] {
    const workers = [...this.#workers.values()];
    return this.#slots.map((slot) =>
      workers.filter((worker) => worker.slot === slot).map(({ state }) => state),
    );
  }

  /** Workers that can be spoken to. */
  attached(): number[] {
    return [...this.#workers].filter(([, { attached }]) => attached).map(([id]) => id);
  }

  /** Of those, the ones that are there to stay. */
  staying(): number[] {
    return this.attached().filter((id) => this.#workers.get(id)?.state !== 'draining');
  }

  /** Workers whose process lives. */
  alive(): number[] {
    return [...this.#workers.keys()];
  }

  /** The worker that serves in each slot. */
  serving(): (number | undefined)[] {
    return this.#slots.map(({ serving }) => serving?.process.id);
  }

  pid(worker: number): number | undefined {
    return this.#workers.get(worker)?.process.pid;
  }

  /** To a worker that cannot be spoken to yet nothing is sent; see {@link SupervisorHooks}. */
  send(worker: number, message: ToWorker): void {
    const found = this.#workers.get(worker);
    if (found?.attached) found.process.send(message);
  }

  broadcast(message: ToWorker): void {
    for (const worker of this.#workers.keys()) this.send(worker, message);
  }

  /** Forks a second worker for the slot. @returns its id */
  replace(number: number): number {
    const slot = this.#slots[number - 1];
    const replaceable = slot?.serving !== undefined && slot.replacement === undefined;
    assert(replaceable && !this.#stopping, 'a worker that serves gets one replacement');
    slot.replacement = this.#fork(slot);
    return slot.replacement.process.id;
  }

  /**
   * The slot's replacement serves from now on. Telling the predecessor to drain is the caller's.
   * @returns the predecessor; undefined when it has died meanwhile
   */
  handOver(number: number): number | undefined {
    const slot = this.#slots[number - 1];
    assert(slot !== undefined, `there is no slot ${number}`);
    const { serving, replacement } = slot;
    if (replacement === undefined) return undefined;
    assert(serving !== undefined, 'a replacement serves when its predecessor has died');
    serving.state = 'draining';
    slot.serving = replacement;
    slot.replacement = undefined;
    slot.deaths = 0;
    return serving.process.id;
  }

  /**
   * From now on nothing is started again; `allEnded` follows when the last worker is gone.
   * Telling the workers to drain is the caller's.
   */
  drain(): void {
    this.#stopping = true;
    for (const slot of this.#slots) clearTimeout(slot.restart);
    for (const worker of this.#workers.values()) worker.state = 'draining';
    if (this.#workers.size === 0) this.#hooks.allEnded();
  }

  /**
   * Ends a worker at once. A replacement gives up its place before its process has ended: there can
   * be another one at once.
   */
  kill(worker: number, cause: WorkerCause = 'crash'): void {
    const found = this.#workers.get(worker);
    if (found === undefined) return;
    if (found === found.slot.replacement) found.slot.replacement = undefined;
    found.cause = cause;
    found.process.kill();
  }

  /** Ends all for good, at once. */
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
      process: new WorkerProcess(
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

  /** Sees to it that somebody serves again in a slot. */
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

/**
 * Keeps one worker alive per slot. A slot's life:
 *
 *   starting --listens--> ready --drain()--> draining
 *      |                    |                   |
 *      +------ dies --------+-------------------+----> dead --back-off--> starting
 *                                                       (not after drain() or kill())
 */
import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { LIMITS } from '../limits.ts';
import type { ToPrimary, ToWorker } from '../messages.ts';
import type { WORKER_STATES } from '../metrics/catalogue.ts';
import { type Ending, WorkerProcess } from './worker-process.ts';

export type WorkerState = (typeof WORKER_STATES)[number];

/** A worker's death, and what comes of it. */
export interface Death extends Ending {
  readonly pid: number | undefined;
  /** It had taken connections. */
  readonly listened: boolean;
  /** When the slot gets a new one, in milliseconds; undefined = it does not. */
  readonly restartMs: number | undefined;
}

export interface SupervisorHooks {
  /** A new worker has the slot; `worker` is an id never used before. */
  forked(slot: number, worker: number): void;
  /** The worker can be spoken to from now on: it has said its first word. */
  attached(slot: number): void;
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
  readonly hooks: SupervisorHooks;
}

interface Slot {
  readonly number: number;
  state: WorkerState;
  process: WorkerProcess | undefined;
  attached: boolean;
  /** When its worker began to listen, in milliseconds. */
  listenedAt: number | undefined;
  /** Deaths in a row without having run well in between. */
  deaths: number;
  /** Deaths in a row before having listened. */
  failedStarts: number;
  restart: NodeJS.Timeout | undefined;
}

/** uWebSockets.js takes 4 KiB of headers by default: cookies and a token would fail with 431. */
const HEADERS_BYTES = 16_384;

export class Supervisor {
  readonly #slots: readonly Slot[];
  readonly #exec: string;
  readonly #hooks: SupervisorHooks;
  #stopping = false;

  constructor({ exec, slots, hooks }: SupervisorOptions) {
    assert(slots >= 1);
    this.#exec = exec;
    this.#hooks = hooks;
    this.#slots = Array.from({ length: slots }, (_, index) => ({
      number: index + 1,
      state: 'starting',
      process: undefined,
      attached: false,
      listenedAt: undefined,
      deaths: 0,
      failedStarts: 0,
      restart: undefined,
    }));
  }

  /** Forks all workers; does nothing when drain() came first. */
  start(): void {
    if (this.#stopping) return;
    cluster.setupPrimary({ exec: this.#exec, args: [], serialization: 'advanced' });
    for (const slot of this.#slots) this.#fork(slot);
  }

  /** How many slots are in `state`. */
  count(state: WorkerState): number {
    return this.#slots.filter((slot) => slot.state === state).length;
  }

  /** Slots whose worker can be spoken to. */
  attached(): number[] {
    return this.#slots.filter((slot) => slot.attached).map((slot) => slot.number);
  }

  /** Slots whose worker process lives. */
  alive(): number[] {
    return this.#slots.filter((slot) => slot.process !== undefined).map((slot) => slot.number);
  }

  /** To a worker that cannot be spoken to yet nothing is sent; see {@link SupervisorHooks}. */
  send(slot: number, message: ToWorker): void {
    const place = this.#slots[slot - 1];
    assert(place !== undefined);
    if (place.attached) place.process?.send(message);
  }

  broadcast(message: ToWorker): void {
    for (const { number } of this.#slots) this.send(number, message);
  }

  /**
   * From now on nothing is started again; `allEnded` follows when the last worker is gone.
   * Telling the workers to drain is the caller's.
   */
  drain(): void {
    this.#stopping = true;
    for (const slot of this.#slots) {
      clearTimeout(slot.restart);
      if (slot.process !== undefined) slot.state = 'draining';
    }
    if (this.alive().length === 0) this.#hooks.allEnded();
  }

  /** Ends one worker, or all for good, at once. */
  kill(slot?: number): void {
    if (slot === undefined) this.#stopping = true;
    for (const { number, process, restart } of this.#slots) {
      if (slot !== undefined && slot !== number) continue;
      clearTimeout(restart);
      process?.kill();
    }
  }

  #fork(slot: Slot): void {
    slot.state = 'starting';
    slot.listenedAt = undefined;
    const env = {
      FOREBAY_WORKER_SLOT: String(slot.number),
      UWS_HTTP_MAX_HEADERS_SIZE: String(HEADERS_BYTES),
    };
    const process = new WorkerProcess(
      env,
      (message) => this.#message(slot, process.id, message),
      (ending) => this.#ended(slot, process, ending),
    );
    slot.process = process;
    this.#hooks.forked(slot.number, process.id);
  }

  #message(slot: Slot, worker: number, message: ToPrimary): void {
    if (!slot.attached) {
      slot.attached = true;
      this.#hooks.attached(slot.number);
    }
    if (message.type === 'snapshot' && message.status.listening && slot.listenedAt === undefined) {
      slot.listenedAt = performance.now();
      slot.failedStarts = 0;
      if (slot.state === 'starting') slot.state = 'ready';
    }
    this.#hooks.message(slot.number, worker, message);
  }

  #ended(slot: Slot, process: WorkerProcess, ending: Ending): void {
    const { listenedAt } = slot;
    slot.process = undefined;
    slot.attached = false;
    slot.state = 'dead';
    if (listenedAt === undefined) slot.failedStarts++;
    const ranWell =
      listenedAt !== undefined && performance.now() - listenedAt >= LIMITS.restartDelayMs.last;
    slot.deaths = ranWell ? 1 : slot.deaths + 1;
    const hopeless =
      slot.failedStarts >= LIMITS.failedStartsMax && this.count('ready') === 0 && !this.#stopping;
    const restartMs = this.#stopping || hopeless ? undefined : restartDelayMs(slot.deaths);
    const death: Death = {
      ...ending,
      pid: process.pid,
      listened: listenedAt !== undefined,
      restartMs,
    };
    if (restartMs !== undefined) slot.restart = setTimeout(() => this.#fork(slot), restartMs);
    this.#hooks.died(slot.number, process.id, death);
    if (hopeless) this.#hooks.gaveUp(death);
    else if (this.#stopping && this.alive().length === 0) this.#hooks.allEnded();
  }
}

/** Pause before the next start after that many deaths in a row. */
export function restartDelayMs(deaths: number): number {
  const { first, last } = LIMITS.restartDelayMs;
  return Math.min(last, first * 2 ** Math.min(deaths - 1, 30));
}

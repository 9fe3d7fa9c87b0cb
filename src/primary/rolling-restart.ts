/**
 * Replaces the workers one by one, so that they read their files anew:
 *
 *   fork a second worker ──▶ it listens and knows the topic ──▶ it serves, the first one drains
 *          │                                                                  │ has ended
 *          └─ dies, or is not fit in time: given up, the first one stays      └──▶ next slot
 */
import { LIMITS } from '../config/limits.ts';
import type { WorkerStatus } from '../ipc.ts';
import type { PrimaryLog } from './deferred-log.ts';
import { DRAIN_GRACE_MS } from './stop.ts';
import type { Supervisor } from './supervisor.ts';

export interface RollOptions {
  /** Time for a worker that leaves to settle what is in flight. */
  readonly drainTimeoutMs: number;
  /** Time for a replacement to listen. */
  readonly startTimeoutMs: number;
  readonly log: PrimaryLog;
  readonly supervisor: Supervisor;
  /** `worker` serves no longer, and its replacement does. */
  handedOver(worker: number): void;
}

/** What is under way in one slot. */
interface Step {
  readonly slot: number;
  readonly replacement: number;
  readonly sinceMs: number;
  readonly pid: number | undefined;
  /** The replacement serves; this one drains. */
  predecessor: number | undefined;
  predecessorPid: number | undefined;
  /** What the predecessor said that it could not settle. */
  left: number | undefined;
  /** The replacement listens and still looks for Kafka. */
  listens: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** The last roll did not replace all workers; `sinceMs` is in ms since 1970. */
export interface RollFailure {
  readonly reason: string;
  readonly sinceMs: number;
}

export class Roll {
  readonly #options: RollOptions;
  /** Workers that are to be replaced, by slot; undefined = no roll. */
  #waiting: Map<number, number> | undefined;
  #step: Step | undefined;
  #again: string | undefined;
  /** A replacement that was killed since it is of no use. */
  #dismissed: number | undefined;
  #sinceMs = 0;
  #replaced = 0;
  #failure: RollFailure | undefined;

  constructor(options: RollOptions) {
    this.#options = options;
  }

  /** Why the last roll was given up; undefined = it was not, or another has begun. */
  get failure(): RollFailure | undefined {
    return this.#failure;
  }

  /** Begins, or begins once more when the present one is over. */
  request(cause: string): 'begun' | 'queued' {
    const { log, supervisor } = this.#options;
    if (this.#waiting !== undefined) {
      this.#again = cause;
      log.write('info', { cause }, 'rolling restart queued');
      return 'queued';
    }
    this.#sinceMs = performance.now();
    this.#replaced = 0;
    this.#failure = undefined;
    const serving = supervisor.serving().map((worker, index) => [index + 1, worker] as const);
    // A slot whose worker has just died gets a new one anyway.
    this.#waiting = new Map(
      serving.filter((entry): entry is [number, number] => entry[1] !== undefined),
    );
    log.write('info', { cause, workers: this.#waiting.size }, 'rolling restart started');
    this.#next();
    return 'begun';
  }

  /** The instance drains: nothing is replaced any more. */
  stop(): void {
    clearTimeout(this.#step?.timer);
    this.#step = undefined;
    this.#waiting = undefined;
    this.#again = undefined;
  }

  /** A worker tells what it is fit for. */
  status(worker: number, { listening, kafkaReached }: WorkerStatus): void {
    const step = this.#step;
    if (worker !== step?.replacement || step.predecessor !== undefined || !listening) return;
    if (kafkaReached) return this.#handOver(step);
    if (step.listens) return;
    step.listens = true;
    // Kafka may be away for long: then it is for any worker.
    this.#arm(step, LIMITS.replacementTopicMs, () => this.#handOver(step));
  }

  /** A replacement said that it cannot run: those that serve stay. */
  fatal(worker: number, message: string): void {
    if (worker === this.#step?.replacement) this.#dismiss(worker, message);
  }

  drained(worker: number, left: number): void {
    if (worker === this.#step?.predecessor) this.#step.left = left;
  }

  /** A worker is gone. @returns whether that was to be expected */
  died(worker: number, left: number): boolean {
    const step = this.#step;
    if (worker === this.#dismissed) return true;
    if (step === undefined) return false;
    if (worker === step.replacement && step.predecessor === undefined) {
      this.#giveUp('the new worker died before it could take over');
      return false;
    }
    if (worker !== step.predecessor) return false;
    this.#finish(step, step.left ?? left);
    return step.left !== undefined;
  }

  #next(): void {
    const { supervisor, startTimeoutMs } = this.#options;
    const serving = supervisor.serving();
    for (const [slot, worker] of this.#waiting ?? []) {
      this.#waiting?.delete(slot);
      if (serving[slot - 1] !== worker) continue;
      const replacement = supervisor.replace(slot);
      const step: Step = {
        slot,
        replacement,
        sinceMs: performance.now(),
        pid: supervisor.pid(replacement),
        predecessor: undefined,
        predecessorPid: undefined,
        left: undefined,
        listens: false,
        timer: undefined,
      };
      this.#step = step;
      const late = `the new worker does not listen after ${startTimeoutMs} ms`;
      this.#arm(step, startTimeoutMs, () => this.#dismiss(replacement, late));
      return;
    }
    const ms = Math.round(performance.now() - this.#sinceMs);
    this.#options.log.write('info', { ms, replaced: this.#replaced }, 'rolling restart completed');
    this.#end();
  }

  #handOver(step: Step): void {
    const { supervisor, drainTimeoutMs, handedOver } = this.#options;
    clearTimeout(step.timer);
    const predecessor = supervisor.handOver(step.slot);
    if (predecessor === undefined) {
      // It died meanwhile, and the replacement has served since; or that was killed.
      if (supervisor.serving()[step.slot - 1] === step.replacement) this.#finish(step, 0);
      else this.#giveUp('the new worker was killed before it could take over');
      return;
    }
    step.predecessor = predecessor;
    step.predecessorPid = supervisor.pid(predecessor);
    if (supervisor.attached().includes(predecessor)) {
      supervisor.send(predecessor, { type: 'drain', timeoutMs: drainTimeoutMs });
      this.#arm(step, drainTimeoutMs + DRAIN_GRACE_MS, () => supervisor.kill(predecessor));
    } else {
      // It still starts: it has no clients, and would not hear that it is to leave.
      step.left = 0;
      supervisor.kill(predecessor);
    }
    handedOver(predecessor);
  }

  #finish(step: Step, left: number): void {
    clearTimeout(step.timer);
    this.#step = undefined;
    this.#replaced++;
    const { slot: worker, pid, predecessorPid } = step;
    const fields = { worker, workerPid: pid, predecessorPid, left };
    const ms = Math.round(performance.now() - step.sinceMs);
    const level = left > 0 ? 'warn' : 'info';
    this.#options.log.write(level, { ...fields, ms }, 'worker replaced');
    this.#next();
  }

  #dismiss(replacement: number, reason: string): void {
    this.#dismissed = replacement;
    this.#options.supervisor.kill(replacement);
    this.#giveUp(reason);
  }

  #giveUp(reason: string): void {
    const step = this.#step;
    clearTimeout(step?.timer);
    this.#step = undefined;
    const fields = { worker: step?.slot, workerPid: step?.pid, reason };
    const { log } = this.#options;
    log.write('error', fields, 'rolling restart aborted');
    this.#failure = { reason, sinceMs: Date.now() };
    this.#end();
  }

  #end(): void {
    this.#waiting = undefined;
    const again = this.#again;
    this.#again = undefined;
    if (again !== undefined) this.request(again);
  }

  #arm(step: Step, ms: number, act: () => void): void {
    clearTimeout(step.timer);
    step.timer = setTimeout(act, ms);
  }
}

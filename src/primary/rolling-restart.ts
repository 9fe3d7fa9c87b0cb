/**
 * Replaces the workers one by one, so that they reload their files:
 *
 *   fork a second worker ──▶ it listens and has reached Kafka ──▶ it serves, the first one drains
 *          │                                                                    │ has exited
 *          └─ dies, or is not ready in time: aborted, the first one stays       └──▶ next slot
 */
import { LIMITS } from '../config/limits.ts';
import type { WorkerStatus } from '../ipc.ts';
import type { DeferredLog } from './deferred-log.ts';
import { DRAIN_GRACE_MS } from './stop.ts';
import type { Supervisor } from './supervisor.ts';

export interface RollingRestartOptions {
  /** Drain timeout of a replaced worker. */
  readonly drainTimeoutMs: number;
  /** Timeout for a replacement to listen. */
  readonly startTimeoutMs: number;
  readonly log: DeferredLog;
  readonly supervisor: Supervisor;
  /** The replacement of `worker` has taken over. */
  handedOver(worker: number): void;
}

/** Replacement in progress, of one slot. */
interface Step {
  readonly slot: number;
  readonly replacement: number;
  readonly sinceMs: number;
  readonly pid: number | undefined;
  /** The draining worker; undefined until the replacement serves. */
  predecessor: number | undefined;
  predecessorPid: number | undefined;
  /** Events that the predecessor reported as unsettled. */
  left: number | undefined;
  /** The replacement listens but has not reached Kafka yet. */
  listens: boolean;
  timer: NodeJS.Timeout | undefined;
}

/** Failure of the last rolling restart; `sinceMs` is in ms since 1970. */
export interface RestartFailure {
  readonly reason: string;
  readonly sinceMs: number;
}

export class RollingRestart {
  readonly #options: RollingRestartOptions;
  /** Workers to be replaced, by slot; undefined = no restart is running. */
  #waiting: Map<number, number> | undefined;
  #step: Step | undefined;
  /** Cause of the queued restart, if any. */
  #again: string | undefined;
  /** Replacement that was killed as unusable. */
  #dismissed: number | undefined;
  #sinceMs = 0;
  #replaced = 0;
  #failure: RestartFailure | undefined;

  constructor(options: RollingRestartOptions) {
    this.#options = options;
  }

  /** Failure of the last restart; undefined = it succeeded, or another one has begun. */
  get failure(): RestartFailure | undefined {
    return this.#failure;
  }

  /** Begins a restart, or queues one behind the current restart. */
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

  /** Cancels the restart: the instance drains. */
  stop(): void {
    clearTimeout(this.#step?.timer);
    this.#step = undefined;
    this.#waiting = undefined;
    this.#again = undefined;
  }

  /** Handles the status of a worker. */
  status(worker: number, { listening, kafkaReached }: WorkerStatus): void {
    const step = this.#step;
    if (worker !== step?.replacement || step.predecessor !== undefined || !listening) return;
    if (kafkaReached) return this.#handOver(step);
    if (step.listens) return;
    step.listens = true;
    // In a Kafka outage the old workers do not reach Kafka either.
    this.#arm(step, LIMITS.replacementTopicMs, () => this.#handOver(step));
  }

  /** A replacement failed to start: the serving workers stay. */
  fatal(worker: number, message: string): void {
    if (worker === this.#step?.replacement) this.#dismiss(worker, message);
  }

  drained(worker: number, left: number): void {
    if (worker === this.#step?.predecessor) this.#step.left = left;
  }

  /** Handles the death of a worker. @returns whether it was expected */
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
      // The predecessor died and the replacement already serves, or the replacement was killed.
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
      // A predecessor that is still starting has no clients, and would not receive `drain`.
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

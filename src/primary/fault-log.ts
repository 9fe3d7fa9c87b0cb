/**
 * Log of faults, which every worker encounters repeatedly: one line for the whole instance. A fault
 * is logged when it is new, when it recurs after it had ceased, and periodically while it lasts;
 * one marked `once` is logged a single time.
 */
import { LIMITS } from '../config/limits.ts';
import type { Fault } from '../ipc.ts';
import type { DeferredLog } from './deferred-log.ts';

interface Known {
  writtenAtMs: number;
  seenAtMs: number;
  held: number;
}

export class FaultLog {
  readonly #log: Pick<DeferredLog, 'write'>;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #writtenOnce = new Set<string>();

  constructor(log: Pick<DeferredLog, 'write'>, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Handles a fault that a worker of `slot` reports. */
  report(slot: number, fault: Fault): void {
    if (fault.once) this.#reportOnce(slot, fault);
    else this.#reportRepeated(slot, fault);
  }

  #reportOnce(slot: number, { level, key, message, fields, held }: Fault): void {
    if (this.#writtenOnce.has(key)) return;
    this.#writtenOnce.add(key);
    this.#log.write(level, { ...fields, worker: slot, held }, message);
  }

  #reportRepeated(slot: number, { level, key, message, fields, held }: Fault): void {
    const nowMs = this.#now();
    const { repeatMs, quietMs } = LIMITS.faults;
    const known = this.#known.get(key);
    const lasts = known !== undefined && nowMs - known.seenAtMs < quietMs;
    if (lasts && nowMs - known.writtenAtMs < repeatMs) {
      known.seenAtMs = nowMs;
      known.held += held + 1;
      return;
    }
    const heldMeanwhile = held + (lasts ? known.held : 0);
    this.#forgetGone(nowMs);
    this.#known.set(key, { writtenAtMs: nowMs, seenAtMs: nowMs, held: 0 });
    this.#log.write(level, { ...fields, worker: slot, held: heldMeanwhile }, message);
  }

  /** Treats the next faults as new: Kafka works again. */
  forget(): void {
    this.#known.clear();
  }

  /** Removes faults that have ceased: keys contain broker addresses, which change. */
  #forgetGone(nowMs: number): void {
    for (const [key, { seenAtMs }] of this.#known) {
      if (nowMs - seenAtMs >= LIMITS.faults.quietMs) this.#known.delete(key);
    }
  }
}

/**
 * Faults, one line each for the whole instance: all workers meet them, again and again.
 * A fault is logged when it is new, when it comes again after it was gone, and now and then while
 * it lasts; one that is marked `once` is logged a single time.
 */
import { LIMITS } from '../config/limits.ts';
import type { Fault } from '../ipc.ts';
import type { PrimaryLog } from './deferred-log.ts';

interface Known {
  writtenAtMs: number;
  seenAtMs: number;
  held: number;
}

export class FaultLog {
  readonly #log: Pick<PrimaryLog, 'write'>;
  readonly #now: () => number;
  readonly #known = new Map<string, Known>();
  readonly #writtenOnce = new Set<string>();

  constructor(log: Pick<PrimaryLog, 'write'>, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** A worker of `slot` has met it. */
  take(slot: number, fault: Fault): void {
    if (fault.once) this.#takeOnce(slot, fault);
    else this.#takeRepeated(slot, fault);
  }

  #takeOnce(slot: number, { level, key, message, fields, held }: Fault): void {
    if (this.#writtenOnce.has(key)) return;
    this.#writtenOnce.add(key);
    this.#log.write(level, { ...fields, worker: slot, held }, message);
  }

  #takeRepeated(slot: number, { level, key, message, fields, held }: Fault): void {
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

  /** Kafka works again: whatever comes now is new. */
  forget(): void {
    this.#known.clear();
  }

  /** Addresses of brokers come and go. */
  #forgetGone(nowMs: number): void {
    for (const [key, { seenAtMs }] of this.#known) {
      if (nowMs - seenAtMs >= LIMITS.faults.quietMs) this.#known.delete(key);
    }
  }
}

import { LIMITS } from '../../config/limits.ts';
import type { Topic } from '../accumulator/topic.ts';

/** Input that arrived before a moment and is not decoded yet. */
export interface PendingInput {
  /** @param ms on the monotonic clock */
  decodesFramesUntil(ms: number): boolean;
}

/**
 * Move of a stream from one topic to another. New batches of the new topic wait until the events
 * that the old one had accepted have a result, so that the order per key is kept.
 */
export class TopicMove {
  readonly from: Topic;
  readonly to: Topic;
  readonly #input: PendingInput;
  readonly #switchedAtMs: number;
  #endMs: number;

  /**
   * Begins to hold batches of `to`.
   * @param isShared others depend on `to`: they wait for `LIMITS.sharedTopicHoldMs` at most
   * @param eventTimeoutMs maximum wait otherwise: then every event of `from` has a result
   */
  constructor(
    from: Topic,
    to: Topic,
    input: PendingInput,
    { isShared, eventTimeoutMs }: { readonly isShared: boolean; readonly eventTimeoutMs: number },
  ) {
    this.from = from;
    this.to = to;
    this.#input = input;
    this.#switchedAtMs = performance.now();
    this.#endMs = this.#switchedAtMs + eventTimeoutMs;
    if (isShared) this.limit();
    to.hold(this);
  }

  /** Ends the hold after `LIMITS.sharedTopicHoldMs` at the latest. */
  limit(): void {
    this.#endMs = Math.min(this.#endMs, performance.now() + LIMITS.sharedTopicHoldMs);
  }

  /** Releases the batches if it is time. @returns whether it was */
  tryEnd(nowMs: number): boolean {
    if (nowMs < this.#endMs && this.#isPending) return false;
    this.to.release(this);
    return true;
  }

  /** Events that arrived before the switch have no result, or are not decoded yet. */
  get #isPending(): boolean {
    const untilMs = this.#switchedAtMs;
    return this.#input.decodesFramesUntil(untilMs) || this.from.isAwaited(untilMs);
  }
}

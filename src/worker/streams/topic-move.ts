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
  readonly #endMs: number;
  /** Time at which the last frame for the old topic was decoded; undefined = some are left. */
  #decodedAtMs: number | undefined;

  /**
   * Begins to hold batches of `to`.
   * @param isShared other streams write to `to`: they wait for `LIMITS.sharedTopicHoldMs` at most
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
    const sharedMs = isShared ? LIMITS.sharedTopicHoldMs : eventTimeoutMs;
    this.#endMs = this.#switchedAtMs + Math.min(sharedMs, eventTimeoutMs);
    if (!input.decodesFramesUntil(this.#switchedAtMs)) this.#decodedAtMs = this.#switchedAtMs;
    to.hold(this);
  }

  /** Releases the batches if it is time. @returns whether it was */
  tryEnd(nowMs: number): boolean {
    if (nowMs < this.#endMs && this.#isPending(nowMs)) return false;
    this.to.release(this);
    return true;
  }

  #isPending(nowMs: number): boolean {
    if (this.#decodedAtMs === undefined) {
      if (this.#input.decodesFramesUntil(this.#switchedAtMs)) return true;
      this.#decodedAtMs = nowMs;
    }
    return this.from.isAwaited(this.#decodedAtMs);
  }
}

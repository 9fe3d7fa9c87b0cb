import type { StreamSpec } from '../../streams/stream-file.ts';
import type { Topic } from '../accumulator/topic.ts';
import { type Buckets, charge, TokenBucket, takeToken } from '../admission/token-bucket.ts';
import { DEAD_LETTER_LIMITS } from './limits.ts';

/** A stream that only the gateway writes to: the destination of dead letters. */
export class InternalStream {
  readonly spec: StreamSpec;
  readonly topic: Topic;
  /** Rate limit in this worker. */
  readonly #buckets: Buckets;

  /** @param previous the stream of this name in the previous version, whose rate limit goes on */
  constructor(spec: StreamSpec, topic: Topic, previous?: InternalStream) {
    this.spec = spec;
    this.topic = topic;
    const { eventsPerSecond = DEAD_LETTER_LIMITS.eventsPerSecond } = spec.limits;
    const isSame = previous?.spec.limits.eventsPerSecond === spec.limits.eventsPerSecond;
    this.#buckets =
      previous !== undefined && isSame
        ? previous.#buckets
        : [new TokenBucket({ eventsPerSecond, burst: eventsPerSecond })];
  }

  /** Takes tokens for a record of `bytes`. @returns false = it is over the rate */
  takeTokens(bytes: number, nowMs: number): boolean {
    if (!takeToken(this.#buckets, nowMs)) return false;
    const more = Math.ceil(bytes / DEAD_LETTER_LIMITS.tokenBytes) - 1;
    if (more > 0) charge(this.#buckets, more, nowMs);
    return true;
  }
}

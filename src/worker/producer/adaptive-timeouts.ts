/** Timeouts of a connection to a broker, which grow while the broker times out. */
import assert from 'node:assert/strict';
import type { RequestTimeouts } from './socket.ts';

/** Timeouts of one connection, ms; {@link assertInOrder} states their order. */
export interface Timeouts extends RequestTimeouts {
  /** Time that a broker may wait for its replicas before it answers REQUEST_TIMED_OUT. */
  readonly ackTimeoutMs: number;
  /** Bound of the TCP handshake, and of the TLS handshake if there is one. */
  readonly handshakeMs: number;
  /** Bound of the handshakes, SASL and ApiVersions together. */
  readonly connectMs: number;
}

/** Initial timeouts. */
export const BASE_TIMEOUTS: Timeouts = {
  ackTimeoutMs: 1_000,
  guardMs: 1_500,
  requestMs: 4_000,
  handshakeMs: 1_000,
  connectMs: 4_000,
};

/** Upper bound of a request's duration, regardless of the number of timeouts. */
export const REQUEST_MS_MAX = 30_000;
const FACTOR_MAX = REQUEST_MS_MAX / BASE_TIMEOUTS.requestMs;

/**
 * Timeouts of one connection. They double with each consecutive timeout, so that slow replicas or a
 * slow network cannot fail every retry, and reset with the first response in time.
 */
export class AdaptiveTimeouts {
  #times = BASE_TIMEOUTS;
  #factor = 1;

  get current(): Timeouts {
    return this.#times;
  }

  timedOut(): void {
    this.#set(Math.min(FACTOR_MAX, this.#factor * 2));
  }

  inTime(): void {
    this.#set(1);
  }

  #set(factor: number): void {
    if (factor === this.#factor) return;
    this.#factor = factor;
    this.#times = stretched(factor);
  }
}

function stretched(factor: number): Timeouts {
  const times: Timeouts = {
    ackTimeoutMs: BASE_TIMEOUTS.ackTimeoutMs * factor,
    guardMs: BASE_TIMEOUTS.guardMs * factor,
    requestMs: BASE_TIMEOUTS.requestMs * factor,
    handshakeMs: BASE_TIMEOUTS.handshakeMs * factor,
    connectMs: BASE_TIMEOUTS.connectMs * factor,
  };
  assertInOrder(times);
  return times;
}

/** A broker that waits for its replicas has to answer before it is considered dead. */
function assertInOrder(times: Timeouts): void {
  const { ackTimeoutMs, guardMs, requestMs, handshakeMs, connectMs } = times;
  assert(Number.isInteger(ackTimeoutMs), 'the protocol uses integer ms');
  assert(ackTimeoutMs < guardMs && guardMs < requestMs, 'request timeouts are in order');
  assert(handshakeMs < connectMs, 'connect timeouts are in order');
  assert(requestMs <= REQUEST_MS_MAX, 'request timeouts are bounded');
}

assertInOrder(BASE_TIMEOUTS);

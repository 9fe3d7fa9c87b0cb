/** How long a connection waits, and how it becomes more patient with what is slow. */
import assert from 'node:assert/strict';
import type { WatchTimes } from './socket.ts';

/** Bounds in ms of what is done on one connection; {@link assertInOrder} says how they relate. */
export interface Times extends WatchTimes {
  /** How long a broker may wait for its replicas before it answers REQUEST_TIMED_OUT. */
  readonly ackTimeoutMs: number;
  /** TCP, and TLS if it is spoken. */
  readonly handshakeMs: number;
  /** That, SASL and API versions together. */
  readonly connectMs: number;
}

/** The times that everything begins with. */
export const TIMES: Times = {
  ackTimeoutMs: 1_000,
  guardMs: 1_500,
  requestMs: 4_000,
  handshakeMs: 1_000,
  connectMs: 4_000,
};

/** No request takes longer, however often one timed out. */
export const REQUEST_MS_MAX = 30_000;
const FACTOR_MAX = REQUEST_MS_MAX / TIMES.requestMs;

/**
 * The times of one sender: they double with each time-out in a row, so that slow replicas or a slow
 * line cannot make it try the same in vain for ever, and are the first ones again when something
 * came back in time.
 */
export class Patience {
  #times = TIMES;
  #factor = 1;

  get times(): Times {
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

function stretched(factor: number): Times {
  const times: Times = {
    ackTimeoutMs: TIMES.ackTimeoutMs * factor,
    guardMs: TIMES.guardMs * factor,
    requestMs: TIMES.requestMs * factor,
    handshakeMs: TIMES.handshakeMs * factor,
    connectMs: TIMES.connectMs * factor,
  };
  assertInOrder(times);
  return times;
}

/** A broker that waits for replicas must be heard before it is taken for dead. */
function assertInOrder(times: Times): void {
  const { ackTimeoutMs, guardMs, requestMs, handshakeMs, connectMs } = times;
  assert(Number.isInteger(ackTimeoutMs), 'the protocol counts whole ms');
  assert(ackTimeoutMs < guardMs && guardMs < requestMs, 'the times of a request stand in order');
  assert(handshakeMs < connectMs, 'the times of connecting stand in order');
  assert(requestMs <= REQUEST_MS_MAX, 'no request takes longer');
}

assertInOrder(TIMES);

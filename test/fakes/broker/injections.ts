/** Injected faults of the next requests of a kind, and how often they took effect. */
import type { ApiName } from './api.ts';
import { valuesIn } from './record-batch.ts';

/** Faults of a response on the wire. */
export type WireFault =
  | 'close' // the connection is closed instead
  | 'reset' // RST instead
  | 'silence' // nothing comes
  | 'half, then close'
  | 'half, then silence'
  | 'other correlation id'
  | 'twice' // the same response two times
  | 'garbage' // bytes that are no response at all
  | { readonly length: number }; // the length says this, whatever follows

export interface Fault {
  /** Kafka's error code in place of the real one. */
  readonly code?: number;
  /** Produce only: the batch is appended nevertheless. Default: it is not. */
  readonly append?: boolean;
  /** Produce only: the response does not name the partition. */
  readonly omit?: boolean;
  /** Throttle time of the response; the connection is not read meanwhile. */
  readonly throttleMs?: number;
  /** Delay of the response. */
  readonly delayMs?: number;
  readonly wire?: WireFault;
}

/** Requests that a fault affects; an omitted field matches any. */
export interface Target {
  readonly request: ApiName;
  readonly broker?: number;
  /** Produce only. */
  readonly partition?: number;
  /** Produce only: batches with this value. */
  readonly value?: string;
  /** Number of requests, default 1. */
  readonly times?: number;
}

/** A pending fault. A test checks `consumed`, so that no fault goes unused. */
export class Injection {
  readonly target: Target;
  readonly fault: Fault;
  consumed = 0;

  constructor(target: Target, fault: Fault) {
    this.target = target;
    this.fault = fault;
  }

  get spent(): boolean {
    return this.consumed >= (this.target.times ?? 1);
  }
}

/** Place of a request, or of one of its batches. */
export interface Place {
  readonly request: ApiName;
  readonly broker: number;
  readonly partition?: number;
  readonly batch?: Buffer;
}

export class Injections {
  readonly #all: Injection[] = [];

  add(target: Target, fault: Fault): Injection {
    const injection = new Injection(target, fault);
    this.#all.push(injection);
    return injection;
  }

  /** Consumes and returns the oldest unused fault for this place. */
  take(place: Place): Fault | undefined {
    const found = this.#all.find((each) => !each.spent && matches(each.target, place));
    if (found !== undefined) found.consumed++;
    return found?.fault;
  }
}

function matches({ request, broker, partition, value }: Target, place: Place): boolean {
  if (request !== place.request) return false;
  if (broker !== undefined && broker !== place.broker) return false;
  if (partition !== undefined && partition !== place.partition) return false;
  return (
    value === undefined || (place.batch !== undefined && valuesIn(place.batch).includes(value))
  );
}

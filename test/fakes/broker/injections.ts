/** Hostility on command: what the next requests of a kind meet, and how often it was met. */
import type { ApiName } from './api.ts';
import { valuesIn } from './record-batch.ts';

/** What becomes of a response on its way. */
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
  /** Kafka's error code instead of the true one. */
  readonly code?: number;
  /** Produce only: the batch is appended all the same. Default: it is not. */
  readonly append?: boolean;
  /** Produce only: the response does not name the partition. */
  readonly omit?: boolean;
  /** The response asks for so much of a pause, and the connection is not read meanwhile. */
  readonly throttleMs?: number;
  /** The response comes so much later. */
  readonly delayMs?: number;
  readonly wire?: WireFault;
}

/** Which requests meet a fault; what is left out is any. */
export interface Target {
  readonly request: ApiName;
  readonly broker?: number;
  /** Produce only. */
  readonly partition?: number;
  /** Produce only: batches with this value. */
  readonly value?: string;
  /** How often, default once. */
  readonly times?: number;
}

/** A fault that waits for its requests. A test asks `consumed`, so that none passes unmet. */
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

/** Where a request, or one batch of it, is. */
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

  /** The oldest fault for this place that is not spent, which is consumed by that. */
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

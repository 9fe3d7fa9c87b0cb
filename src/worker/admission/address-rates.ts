import assert from 'node:assert/strict';
import { LIMITS } from '../../config/limits.ts';
import type { AddressKey } from './address.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

interface Entry {
  readonly bucket: TokenBucket;
  /** WebSockets that use it. */
  users: number;
}

/**
 * Token buckets of client addresses, each shared by all connections and requests from it. The
 * bucket of an address without WebSockets is dropped some time after it is full again, or as the
 * least recently used when there are more than `LIMITS.addressBuckets` of them.
 */
export class AddressRates {
  readonly #rate: Rate;
  readonly #used = new Map<AddressKey, Entry>();
  /** Addresses without WebSockets, least recently used first. */
  readonly #idle = new Map<AddressKey, Entry>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Addresses with a bucket. */
  get size(): number {
    return this.#used.size + this.#idle.size;
  }

  /** Returns the bucket of an address for a request, or for a WebSocket before {@link enter}. */
  of(addressKey: AddressKey, nowMs = performance.now()): TokenBucket {
    return (this.#used.get(addressKey) ?? this.#touch(addressKey, nowMs)).bucket;
  }

  /** Keeps the bucket of an address for a WebSocket that opens. */
  enter(addressKey: AddressKey, nowMs = performance.now()): void {
    const entry = this.#used.get(addressKey) ?? this.#touch(addressKey, nowMs);
    entry.users++;
    this.#idle.delete(addressKey);
    this.#used.set(addressKey, entry);
  }

  /** Releases the bucket for a WebSocket that has entered. */
  leave(addressKey: AddressKey, nowMs = performance.now()): void {
    const entry = this.#used.get(addressKey);
    assert(entry !== undefined, 'only a WebSocket that has entered leaves');
    entry.users--;
    if (entry.users > 0) return;
    this.#used.delete(addressKey);
    this.#idle.set(addressKey, entry);
    entry.bucket.has(nowMs);
    this.#trim(nowMs);
  }

  /** Returns the entry of an address without WebSockets, as the most recently used. */
  #touch(addressKey: AddressKey, nowMs: number): Entry {
    const entry = this.#idle.get(addressKey) ?? { bucket: new TokenBucket(this.#rate), users: 0 };
    // Updates its time: a new bucket would count as full since the start of the process.
    entry.bucket.has(nowMs);
    this.#idle.delete(addressKey);
    this.#idle.set(addressKey, entry);
    this.#trim(nowMs);
    return entry;
  }

  #trim(nowMs: number): void {
    for (const [addressKey, { bucket }] of this.#idle) {
      const isFull = bucket.fullAtMs + LIMITS.addressIdleMs <= nowMs;
      if (!isFull && this.#idle.size <= LIMITS.addressBuckets) return;
      this.#idle.delete(addressKey);
    }
  }
}

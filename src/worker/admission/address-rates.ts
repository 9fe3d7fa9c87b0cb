import assert from 'node:assert/strict';
import { LIMITS } from '../../config/limits.ts';
import type { AddressKey } from './address.ts';
import { type Rate, TokenBucket } from './token-bucket.ts';

interface Entry {
  readonly bucket: TokenBucket;
  /** WebSockets that have it. */
  users: number;
}

/**
 * Token buckets of client addresses, shared by all that comes from each. The bucket of an address
 * without WebSockets is dropped some time after it is full again, or as the one used longest ago
 * when there are more than `LIMITS.addressBuckets` of them.
 */
export class AddressRates {
  readonly #rate: Rate;
  readonly #used = new Map<AddressKey, Entry>();
  /** Those without WebSockets, the one used longest ago first. */
  readonly #idle = new Map<AddressKey, Entry>();

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** Addresses that have a bucket. */
  get size(): number {
    return this.#used.size + this.#idle.size;
  }

  /** The bucket of `place` for one request, or for a WebSocket that {@link enter} is called for. */
  of(addressKey: AddressKey, nowMs = performance.now()): TokenBucket {
    return (this.#used.get(addressKey) ?? this.#touch(addressKey, nowMs)).bucket;
  }

  /** A WebSocket keeps the bucket of `place` from now on. */
  enter(addressKey: AddressKey, nowMs = performance.now()): void {
    const entry = this.#used.get(addressKey) ?? this.#touch(addressKey, nowMs);
    entry.users++;
    this.#idle.delete(addressKey);
    this.#used.set(addressKey, entry);
  }

  /** One that has entered is gone. */
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

  /** The entry of an address without WebSockets, from now on the last of them. */
  #touch(addressKey: AddressKey, nowMs: number): Entry {
    const entry = this.#idle.get(addressKey) ?? { bucket: new TokenBucket(this.#rate), users: 0 };
    // Tells when it was used last: a new one would count as full since the start of the process.
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

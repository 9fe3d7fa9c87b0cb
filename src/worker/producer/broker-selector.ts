import assert from 'node:assert/strict';
import { formatBrokerAddress as nameOf } from '../../kafka/broker-address.ts';
import type { Address } from './link.ts';

/** A broker that failed is tried again after this time, or when all others have failed. */
const FAILED_LATELY_MS = 10_000;

/** Selects the next broker to query: round-robin, recently failed ones last. */
export class BrokerSelector {
  #next = 0;
  /** Time of the last failure, by address. */
  readonly #failedAtMs = new Map<string, number>();

  /**
   * @param addresses all known brokers, possibly with duplicates
   * @param except broker in use: another one is preferred
   */
  choose(addresses: readonly Address[], except: Address | undefined, nowMs: number): Address {
    const all = [...new Map(addresses.map((address) => [nameOf(address), address])).values()];
    assert(all.length > 0, 'at least one broker is known');
    const turn = this.#next % all.length;
    const inTurn = [...all.slice(turn), ...all.slice(0, turn)];
    const others = inTurn.filter((address) => !except || nameOf(address) !== nameOf(except));
    const wanted = others.length > 0 ? others : inTurn;
    const failedMs = (address: Address) => {
      const failedAtMs = this.#failedAtMs.get(nameOf(address)) ?? Number.NEGATIVE_INFINITY;
      return nowMs - failedAtMs < FAILED_LATELY_MS ? failedAtMs : 0;
    };
    const chosen = wanted.reduce((best, each) => (failedMs(each) < failedMs(best) ? each : best));
    this.#next = all.indexOf(chosen) + 1;
    return chosen;
  }

  failed(address: Address, nowMs: number): void {
    this.#failedAtMs.set(nameOf(address), nowMs);
  }

  answered(address: Address): void {
    this.#failedAtMs.delete(nameOf(address));
  }
}

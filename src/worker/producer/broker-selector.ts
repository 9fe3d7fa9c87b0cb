import assert from 'node:assert/strict';
import { formatBrokerAddress as nameOf } from '../../kafka/broker-address.ts';
import type { Address } from './link.ts';

/** A broker that could not be asked is not asked again so soon, if there is another. */
const FAILED_LATELY_MS = 10_000;

/** Which broker is asked next: each in turn, one that failed lately only if all others did. */
export class Candidates {
  #next = 0;
  /** When a broker could not be asked for the last time, by address. */
  readonly #failedAtMs = new Map<string, number>();

  /**
   * @param addresses of all brokers that are known; one may be named twice
   * @param besides one that is asked already: another one is wanted, if there is any
   */
  choose(addresses: readonly Address[], besides: Address | undefined, nowMs: number): Address {
    const all = [...new Map(addresses.map((address) => [nameOf(address), address])).values()];
    assert(all.length > 0, 'there is a broker to ask');
    const turn = this.#next % all.length;
    const inTurn = [...all.slice(turn), ...all.slice(0, turn)];
    const others = inTurn.filter((address) => !besides || nameOf(address) !== nameOf(besides));
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

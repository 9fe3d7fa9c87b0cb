import { networksOf } from '../../networks.ts';
import type { HttpRequest, HttpResponse } from '../listener/uws.ts';
import { ClientAddresses, countedAs } from './address.ts';
import type { MemoryMark } from './memory-mark.ts';
import { PerAddress } from './per-address.ts';

export interface ConnectionOptions {
  /** WebSockets in all. */
  readonly max: number;
  /** WebSockets of one address; 0 = no bound. */
  readonly maxPerAddress: number;
  /** Addresses and networks of proxies. */
  readonly trustedProxies: readonly string[];
  readonly memory: Pick<MemoryMark, 'over'>;
}

/** Where a connection is counted: its address, or '' when addresses are not counted. */
export type Place = string;

/** What has no room for one more: this worker, or its part for an address. */
export type Full = 'worker' | 'address';

/** How many WebSockets a worker has, in all and by address, and whether one more may come. */
export class ConnectionAdmission {
  readonly #options: ConnectionOptions;
  readonly #addresses: ClientAddresses;
  readonly #perAddress: PerAddress;
  #open = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#addresses = new ClientAddresses(networksOf(options.trustedProxies));
    this.#perAddress = new PerAddress(options.maxPerAddress);
  }

  /** Where a handshake would be counted. */
  placeOf(response: HttpResponse, request: HttpRequest): Place {
    if (this.#options.maxPerAddress === 0) return '';
    return countedAs(this.#addresses.of(response, request));
  }

  /** WebSockets that one address may have; 0 = no bound. */
  get maxPerAddress(): number {
    return this.#options.maxPerAddress;
  }

  /**
   * What stands against one more connection now. Between this call and {@link enter} nothing else
   * may come, or one too many does.
   * @returns undefined = nothing
   */
  full(place: Place): Full | undefined {
    const { max, memory } = this.#options;
    if (this.#open >= max || memory.over) return 'worker';
    return place !== '' && this.#perAddress.isFull(place) ? 'address' : undefined;
  }

  enter(place: Place): void {
    this.#open++;
    if (place !== '') this.#perAddress.enter(place);
  }

  leave(place: Place): void {
    this.#open--;
    if (place !== '') this.#perAddress.leave(place);
  }
}

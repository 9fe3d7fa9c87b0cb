import { networksOf } from '../../networks.ts';
import type { HttpRequest, HttpResponse } from '../listener/uws.ts';
import { ClientAddresses, countedAs } from './address.ts';
import { AddressRates } from './address-rates.ts';
import type { MemoryMark } from './memory-mark.ts';
import { PerAddress } from './per-address.ts';
import type { Buckets, Rate } from './token-bucket.ts';

export interface ConnectionOptions {
  /** WebSockets in all. */
  readonly max: number;
  /** WebSockets of one address; 0 = no bound. */
  readonly maxPerAddress: number;
  /** Events of one address; undefined = no bound. */
  readonly addressRate: Rate | undefined;
  /** Addresses and networks of proxies. */
  readonly trustedProxies: readonly string[];
  readonly memory: Pick<MemoryMark, 'over'>;
}

/** Where a connection or request is counted: its address, or '' when addresses are not counted. */
export type Place = string;

const NO_BUCKETS: Buckets = [];

/** What has no room for one more: this worker, or its part for an address. */
export type Full = 'worker' | 'address';

/**
 * How many WebSockets a worker has, in all and by address, and whether one more may come; and what
 * bounds the rate of each address.
 */
export class ConnectionAdmission {
  readonly #options: ConnectionOptions;
  readonly #addresses: ClientAddresses;
  readonly #perAddress: PerAddress | undefined;
  readonly #rates: AddressRates | undefined;
  #open = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#addresses = new ClientAddresses(networksOf(options.trustedProxies));
    const { maxPerAddress, addressRate } = options;
    this.#perAddress = maxPerAddress === 0 ? undefined : new PerAddress(maxPerAddress);
    this.#rates = addressRate && new AddressRates(addressRate);
  }

  /** Where a handshake or request would be counted. Call it before the handler returns. */
  placeOf(response: HttpResponse, request: HttpRequest): Place {
    if (this.#perAddress === undefined && this.#rates === undefined) return '';
    return this.addressOf(response, request);
  }

  /** The address that a request comes from, as addresses are counted; as {@link placeOf}. */
  addressOf(response: HttpResponse, request: HttpRequest): Place {
    return countedAs(this.#addresses.of(response, request));
  }

  /** What bounds the rate of what comes from `place`: for one request, or until {@link leave}. */
  bucketsOf(place: Place): Buckets {
    return this.#rates === undefined ? NO_BUCKETS : [this.#rates.of(place)];
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
    return this.#perAddress?.isFull(place) ? 'address' : undefined;
  }

  enter(place: Place): void {
    this.#open++;
    this.#perAddress?.enter(place);
    this.#rates?.enter(place);
  }

  leave(place: Place): void {
    this.#open--;
    this.#perAddress?.leave(place);
    this.#rates?.leave(place);
  }
}

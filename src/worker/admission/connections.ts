import {
  type Address,
  addressOfBytes,
  isWithin,
  type Network,
  networksOf,
} from '../../common/ip-addresses.ts';
import { LIMITS } from '../../config/limits.ts';
import type { HttpRequest, HttpResponse } from '../ingress/transport/transport.ts';
import type { MemoryLimit } from '../overload/memory-limit.ts';
import { type AddressKey, ClientAddresses, toAddressKey } from './address.ts';
import { AddressRates } from './address-rates.ts';
import { PerAddress } from './per-address.ts';
import type { Buckets, Rate } from './token-bucket.ts';

export interface ConnectionOptions {
  /** Total WebSockets. */
  readonly max: number;
  /** WebSockets and unanswered requests per address; 0 = no bound. */
  readonly maxPerAddress: number;
  /** Event rate per address; undefined = no bound. */
  readonly addressRate: Rate | undefined;
  /** Addresses and networks of proxies. */
  readonly trustedProxies: readonly string[];
  readonly memory: Pick<MemoryLimit, 'exceeded'>;
}

const NO_BUCKETS: Buckets = [];

/** A connection limit: of this worker, or of an address in it. */
export type ConnectionLimit = 'worker' | 'address';

type Peer = Pick<HttpResponse, 'getRemoteAddress'>;

/**
 * Connection limits of a worker: counts its WebSockets, and all connections by address, and admits
 * new ones; also holds the rate limits of addresses. A connection counts for the socket's peer,
 * unless that is a trusted proxy: then only the WebSockets and requests of its clients count, each
 * for its own address.
 */
export class ConnectionAdmission {
  readonly #options: ConnectionOptions;
  readonly #addresses: ClientAddresses;
  readonly #perAddress: PerAddress | undefined;
  readonly #rates: AddressRates | undefined;
  readonly #trusted: readonly Network[];
  readonly #periods: NodeJS.Timeout | undefined;
  #open = 0;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#trusted = networksOf(options.trustedProxies);
    this.#addresses = new ClientAddresses(this.#trusted);
    const { maxPerAddress, addressRate } = options;
    this.#rates = addressRate && new AddressRates(addressRate);
    if (maxPerAddress === 0) return;
    const perAddress = new PerAddress(maxPerAddress);
    this.#perAddress = perAddress;
    const periodMs = LIMITS.firstRequestMs + LIMITS.timerTickMs;
    this.#periods = setInterval(() => perAddress.nextPeriod(), periodMs);
  }

  close(): void {
    clearInterval(this.#periods);
  }

  /** Returns the key of the connection itself; '' also for a trusted proxy. */
  peerKeyOf(response: Peer): AddressKey {
    if (this.#perAddress === undefined) return '';
    const address = addressOfBytes(response.getRemoteAddress());
    return isWithin(address, this.#trusted) ? '' : toAddressKey(address);
  }

  /** Counts an accepted connection. @returns whether it may stay and wait for its first request */
  accept(peer: AddressKey): boolean {
    return peer === '' || this.#perAddress === undefined || this.#perAddress.accept(peer);
  }

  /** Counts a connection that has sent a request, or has ended before its first one. */
  markActive(peer: AddressKey): void {
    if (peer !== '') this.#perAddress?.markActive(peer);
  }

  /** Counts a response. @returns whether its connection may stay and wait for the next request */
  keepAlive(peer: AddressKey): boolean {
    return peer === '' || this.#perAddress === undefined || this.#perAddress.keepAlive(peer);
  }

  /** Returns {@link addressKeyOf} if any limit needs it, else ''. */
  limitKeyOf(response: HttpResponse, request: HttpRequest): AddressKey {
    if (this.#perAddress === undefined && this.#rates === undefined) return '';
    return this.addressKeyOf(response, request);
  }

  /** Returns the key of a request's client address. Call it before the handler returns. */
  addressKeyOf(response: HttpResponse, request: HttpRequest): AddressKey {
    return toAddressKey(this.#addresses.of(response, request));
  }

  /** Returns a request's client address. Call it before the handler returns. */
  addressOf(response: HttpResponse, request: HttpRequest): Address {
    return this.#addresses.of(response, request);
  }

  /** See ClientAddresses. */
  isProxied(response: HttpResponse): boolean {
    return this.#addresses.isProxied(response);
  }

  /** Returns the rate limits of an address: for one request, or until {@link leave}. */
  bucketsOf(addressKey: AddressKey): Buckets {
    return this.#rates === undefined ? NO_BUCKETS : [this.#rates.of(addressKey)];
  }

  /** WebSockets and unanswered requests that one address may have; 0 = no bound. */
  get maxPerAddress(): number {
    return this.#options.maxPerAddress;
  }

  /**
   * Returns the limit that rejects another connection now. The caller must call {@link enter}
   * without waiting, or the limit may be exceeded.
   * @returns undefined = none
   */
  exceededLimit(addressKey: AddressKey): ConnectionLimit | undefined {
    const { max, memory } = this.#options;
    if (this.#open >= max || memory.exceeded) return 'worker';
    return this.#perAddress?.isFull(addressKey) ? 'address' : undefined;
  }

  /** Counts a WebSocket that opens. */
  enter(addressKey: AddressKey): void {
    this.#open++;
    this.#perAddress?.enter(addressKey);
    this.#rates?.enter(addressKey);
  }

  /** Counts a WebSocket that has ended. */
  leave(addressKey: AddressKey): void {
    this.#open--;
    this.#perAddress?.leave(addressKey);
    this.#rates?.leave(addressKey);
  }

  /** Counts a request with a deferred response. @returns false = its address is at the limit */
  enterRequest(addressKey: AddressKey): boolean {
    if (this.#perAddress?.isFull(addressKey)) return false;
    this.#perAddress?.enter(addressKey);
    return true;
  }

  /** Counts the end of such a request. */
  leaveRequest(addressKey: AddressKey): void {
    this.#perAddress?.leave(addressKey);
  }
}

import { addressOfBytes, isWithin, type Network, networksOf } from '../../common/ip-addresses.ts';
import { LIMITS } from '../../config/limits.ts';
import type { HttpRequest, HttpResponse } from '../ingress/uws.ts';
import type { MemoryLimit } from '../overload/memory-limit.ts';
import { type AddressKey, ClientAddresses, toAddressKey } from './address.ts';
import { AddressRates } from './address-rates.ts';
import { PerAddress } from './per-address.ts';
import type { Buckets, Rate } from './token-bucket.ts';

export interface ConnectionOptions {
  /** WebSockets in all. */
  readonly max: number;
  /** WebSockets, and requests that are not answered, of one address; 0 = no bound. */
  readonly maxPerAddress: number;
  /** Events of one address; undefined = no bound. */
  readonly addressRate: Rate | undefined;
  /** Addresses and networks of proxies. */
  readonly trustedProxies: readonly string[];
  readonly memory: Pick<MemoryLimit, 'exceeded'>;
}

const NO_BUCKETS: Buckets = [];

/** What has no room for one more: this worker, or its part for an address. */
export type ConnectionLimit = 'worker' | 'address';

type Peer = Pick<HttpResponse, 'getRemoteAddress'>;

/**
 * Counts a worker's WebSockets, and connections of all kinds by address, and decides whether one
 * more may come; and what bounds the rate of each address. A connection counts for the socket's
 * peer, unless that is a trusted proxy: then only what its clients use counts, each for its own
 * address.
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

  /** Place of a connection itself; '' also for one of a trusted proxy. */
  peerKeyOf(response: Peer): AddressKey {
    if (this.#perAddress === undefined) return '';
    const address = addressOfBytes(response.getRemoteAddress());
    return isWithin(address, this.#trusted) ? '' : toAddressKey(address);
  }

  /** A connection is accepted. @returns whether it may stay and wait for its first request */
  accept(peer: AddressKey): boolean {
    return peer === '' || this.#perAddress === undefined || this.#perAddress.accept(peer);
  }

  /** A connection has a request, or has ended before its first one. */
  markActive(peer: AddressKey): void {
    if (peer !== '') this.#perAddress?.markActive(peer);
  }

  /** A request is answered. @returns whether its connection may stay and wait for the next one */
  keepAlive(peer: AddressKey): boolean {
    return peer === '' || this.#perAddress === undefined || this.#perAddress.keepAlive(peer);
  }

  /** Where a handshake or request would be counted. Call it before the handler returns. */
  limitKeyOf(response: HttpResponse, request: HttpRequest): AddressKey {
    if (this.#perAddress === undefined && this.#rates === undefined) return '';
    return this.addressKeyOf(response, request);
  }

  /** The address that a request comes from, as addresses are counted; as {@link limitKeyOf}. */
  addressKeyOf(response: HttpResponse, request: HttpRequest): AddressKey {
    return toAddressKey(this.#addresses.of(response, request));
  }

  /** What bounds the rate of what comes from `place`: for one request, or until {@link leave}. */
  bucketsOf(addressKey: AddressKey): Buckets {
    return this.#rates === undefined ? NO_BUCKETS : [this.#rates.of(addressKey)];
  }

  /** WebSockets, and requests that are not answered, that one address may have; 0 = no bound. */
  get maxPerAddress(): number {
    return this.#options.maxPerAddress;
  }

  /**
   * What stands against one more connection now. Between this call and {@link enter} nothing else
   * may come, or one too many does.
   * @returns undefined = nothing
   */
  exceededLimit(addressKey: AddressKey): ConnectionLimit | undefined {
    const { max, memory } = this.#options;
    if (this.#open >= max || memory.exceeded) return 'worker';
    return this.#perAddress?.isFull(addressKey) ? 'address' : undefined;
  }

  /** A WebSocket opens. */
  enter(addressKey: AddressKey): void {
    this.#open++;
    this.#perAddress?.enter(addressKey);
    this.#rates?.enter(addressKey);
  }

  /** A WebSocket has ended. */
  leave(addressKey: AddressKey): void {
    this.#open--;
    this.#perAddress?.leave(addressKey);
    this.#rates?.leave(addressKey);
  }

  /** A request begins that is not answered at once. @returns false = its address has no room */
  enterRequest(addressKey: AddressKey): boolean {
    if (this.#perAddress?.isFull(addressKey)) return false;
    this.#perAddress?.enter(addressKey);
    return true;
  }

  /** Such a request is answered, or its client has gone. */
  leaveRequest(addressKey: AddressKey): void {
    this.#perAddress?.leave(addressKey);
  }
}

import { networksOf } from '../../networks.ts';
import { type Answer, errorAnswer, requestError } from '../listener/answers.ts';
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

const RETRY_AFTER = { 'Retry-After': '1' };

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

  /**
   * Whether one more may become a connection now. Between this call and {@link enter} nothing else
   * may come, or one too many does.
   * @returns the answer that refuses it; undefined = it may
   */
  refusal(place: Place): Answer | undefined {
    const { max, maxPerAddress, memory } = this.#options;
    if (this.#open >= max || memory.over) return noMore();
    const isFull = place !== '' && this.#perAddress.isFull(place);
    return isFull ? noMoreOfAddress(maxPerAddress) : undefined;
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

/** 503: another worker or instance may have room. */
function noMore(): Answer {
  return requestError('too_many_connections', RETRY_AFTER);
}

/** 429: the client's own connections are too many. */
function noMoreOfAddress(max: number): Answer {
  const message = `an address may have ${max} connections`;
  return errorAnswer(429, 'too_many_connections', message, RETRY_AFTER);
}

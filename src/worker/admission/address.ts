import {
  type Address,
  addressOfBytes,
  isWithin,
  type Network,
  parseAddress,
} from '../../common/ip-addresses.ts';
import type { HttpRequest, HttpResponse } from '../ingress/transport/transport.ts';

/**
 * Key under which connections or requests are counted: an address, or '' if addresses are not
 * counted.
 */
export type AddressKey = string;

type Peer = Pick<HttpResponse, 'getRemoteAddress' | 'getProxiedRemoteAddress'>;
type Headers = Pick<HttpRequest, 'forEach'>;

/** Client addresses of requests, forwarded by trusted proxies. */
export class ClientAddresses {
  readonly #trusted: readonly Network[];

  /** @param trusted proxies; forwarded addresses from any other peer are ignored */
  constructor(trusted: readonly Network[]) {
    this.#trusted = trusted;
  }

  /**
   * Returns the address of the client: the socket's peer; if that is a trusted proxy, the address
   * in its PROXY header; and from there on, as long as it is a trusted proxy, the next one in
   * X-Forwarded-For, from the right. Call it before the handler returns.
   */
  of(response: Peer, request: Headers): Address {
    const peer = addressOfBytes(response.getRemoteAddress());
    if (!this.#isProxy(peer)) return peer;
    // uWebSockets.js accepts a PROXY header from any peer.
    const named = response.getProxiedRemoteAddress();
    const address = named.byteLength === 0 ? peer : addressOfBytes(named);
    return this.#isProxy(address) ? this.#forwarded(address, request) : address;
  }

  /**
   * Returns whether trusted proxies alone have written the headers of a request: its peer is one,
   * and so is the sender that the peer's PROXY header names, if there is one.
   */
  isProxied(response: Peer): boolean {
    if (!this.#isProxy(addressOfBytes(response.getRemoteAddress()))) return false;
    const named = response.getProxiedRemoteAddress();
    return named.byteLength === 0 || this.#isProxy(addressOfBytes(named));
  }

  /** Each proxy appends its peer: the last entry is the only one that its client cannot forge. */
  #forwarded(proxy: Address, request: Headers): Address {
    const lines: string[] = [];
    request.forEach((name, value) => {
      if (name === 'x-forwarded-for') lines.push(value);
    });
    let address = proxy;
    for (const entry of lines.join(',').split(',').reverse()) {
      const next = forwardedAddress(entry.trim());
      if (next === undefined) break;
      address = next;
      if (!this.#isProxy(address)) break;
    }
    return address;
  }

  #isProxy(address: Address): boolean {
    return isWithin(address, this.#trusted);
  }
}

/** Parses an entry of X-Forwarded-For; some proxies append the client's port. */
function forwardedAddress(entry: string): Address | undefined {
  const [, inBrackets, dotted] = /^(?:\[([^\]]*)\]|([\d.]+):)(?::?\d{1,5})?$/.exec(entry) ?? [];
  return parseAddress(inBrackets ?? dotted ?? entry);
}

/** IPv6 customers get whole networks of this prefix length: their addresses count as one. */
const IPV6_BITS = 64;

/** Returns the key of an address: the IPv4 address, or the /64 network of an IPv6 one. */
export function toAddressKey(address: Address): string {
  if (address.kind() === 'ipv4') return address.toString();
  const bytes = address.toByteArray().slice(0, IPV6_BITS / 8);
  return `${Buffer.from(bytes).toString('hex')}/${IPV6_BITS}`;
}

import {
  type Address,
  addressOfBytes,
  isWithin,
  type Network,
  parseAddress,
} from '../../common/ip-addresses.ts';
import type { HttpRequest, HttpResponse } from '../ingress/uws.ts';

/** Where a connection or request is counted: its address, or '' when addresses are not counted. */
export type AddressKey = string;

type Peer = Pick<HttpResponse, 'getRemoteAddress' | 'getProxiedRemoteAddress'>;
type Headers = Pick<HttpRequest, 'forEach'>;

/** Who a request comes from, behind proxies that are trusted to say so. */
export class ClientAddresses {
  readonly #trusted: readonly Network[];

  /** @param trusted proxies; what anybody else says of other addresses is not looked at */
  constructor(trusted: readonly Network[]) {
    this.#trusted = trusted;
  }

  /**
   * The address of the client: the socket's peer; if that is a trusted proxy, who its PROXY header
   * names; and from there on, as long as it is a trusted proxy, who X-Forwarded-For names, from
   * the right. Call it before the handler returns.
   */
  of(response: Peer, request: Headers): Address {
    const peer = addressOfBytes(response.getRemoteAddress());
    if (!this.#isProxy(peer)) return peer;
    // uWebSockets.js takes a PROXY header from anybody.
    const named = response.getProxiedRemoteAddress();
    const address = named.byteLength === 0 ? peer : addressOfBytes(named);
    return this.#isProxy(address) ? this.#forwarded(address, request) : address;
  }

  /** Each proxy adds whom it heard: the last entry is the only one that its client cannot write. */
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

/** An entry of X-Forwarded-For; some proxies write the client's port too. */
function forwardedAddress(entry: string): Address | undefined {
  const [, inBrackets, dotted] = /^(?:\[([^\]]*)\]|([\d.]+):)(?::?\d{1,5})?$/.exec(entry) ?? [];
  return parseAddress(inBrackets ?? dotted ?? entry);
}

/** Whole networks of so many bits are given to one IPv6 customer: their addresses count as one. */
const IPV6_BITS = 64;

/** What connections from `address` are counted by: the IPv4 address, or the /64 of the IPv6 one. */
export function toAddressKey(address: Address): string {
  if (address.kind() === 'ipv4') return address.toString();
  const bytes = address.toByteArray().slice(0, IPV6_BITS / 8);
  return `${Buffer.from(bytes).toString('hex')}/${IPV6_BITS}`;
}

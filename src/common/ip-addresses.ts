/** Addresses and networks of the Internet Protocol, as settings and headers write them. */
import assert from 'node:assert/strict';
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;
/** An address and how many of its first bits count. */
export type Network = readonly [Address, number];

/** `::ffff:10.0.0.1` is the IPv4 client of a socket that listens for both versions. */
export function unmapped(address: Address): Address {
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) {
    return address.toIPv4Address();
  }
  return address;
}

/** The address of a socket that is no longer connected. */
const UNSPECIFIED = ipaddr.IPv6.parse('::');

/**
 * Returns the address of a socket's end; `::` where the system names none, since the connection has
 * ended.
 * @param bytes 4 or 16, in network order, or none
 */
export function addressOfBytes(bytes: ArrayBuffer): Address {
  if (bytes.byteLength === 0) return UNSPECIFIED;
  return unmapped(ipaddr.fromByteArray([...new Uint8Array(bytes)]));
}

/**
 * The address that `text` writes in the usual way, undefined for anything else: IPv4 in four
 * decimal parts (a leading 0 is octal for some and decimal for others), IPv6 without a zone.
 */
export function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  return unmapped(ipaddr.IPv6.parse(text));
}

/** The network that `text` writes, `10.0.0.0/8` or an address; undefined for anything else. */
export function parseNetwork(text: string): Network | undefined {
  const [first = '', bits, ...more] = text.split('/');
  const address = parseAddress(first);
  if (address === undefined || more.length > 0) return undefined;
  const bitsMax = address.kind() === 'ipv4' ? 32 : 128;
  if (bits === undefined) return [address, bitsMax];
  const count = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  return count <= bitsMax ? [address, count] : undefined;
}

/** The networks of a setting, which has checked them. */
export function networksOf(texts: readonly string[]): Network[] {
  return texts.map((text) => {
    const network = parseNetwork(text);
    assert(network !== undefined, 'the setting takes nothing else');
    return network;
  });
}

/** Whether `address` is in one of the networks. */
export function isWithin(address: Address, networks: readonly Network[]): boolean {
  return networks.some(
    ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
  );
}

/** Returns whether `host`, a name or an address, is a loopback one. */
export function isLoopback(host: string): boolean {
  return ['localhost', '::1', '[::1]'].includes(host) || /^127(\.\d{1,3}){3}$/.test(host);
}

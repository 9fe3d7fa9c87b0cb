/** IP addresses and networks, as in settings and headers. */
import assert from 'node:assert/strict';
import ipaddr from 'ipaddr.js';

export type Address = ipaddr.IPv4 | ipaddr.IPv6;
/** An address and the length of its prefix. */
export type Network = readonly [Address, number];

/** Converts `::ffff:10.0.0.1`, an IPv4 client of a dual-stack socket, to IPv4. */
export function unmapped(address: Address): Address {
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()) {
    return address.toIPv4Address();
  }
  return address;
}

/** Address of a disconnected socket. */
const UNSPECIFIED = ipaddr.IPv6.parse('::');

/**
 * Returns the address of a socket's peer; `::` if the system returns none, since the connection has
 * closed.
 * @param bytes 4 or 16, in network order, or none
 */
export function addressOfBytes(bytes: ArrayBuffer): Address {
  if (bytes.byteLength === 0) return UNSPECIFIED;
  return unmapped(ipaddr.fromByteArray([...new Uint8Array(bytes)]));
}

/**
 * Parses an address; undefined if invalid. IPv4 needs four decimal parts without leading zeros
 * (octal to some programs), IPv6 has no zone.
 */
export function parseAddress(text: string): Address | undefined {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  if (text.includes('%') || !ipaddr.IPv6.isValid(text)) return undefined;
  return unmapped(ipaddr.IPv6.parse(text));
}

/** Parses a network, `10.0.0.0/8` or an address; undefined if invalid. */
export function parseNetwork(text: string): Network | undefined {
  const [first = '', bits, ...more] = text.split('/');
  const address = parseAddress(first);
  if (address === undefined || more.length > 0) return undefined;
  const bitsMax = address.kind() === 'ipv4' ? 32 : 128;
  if (bits === undefined) return [address, bitsMax];
  const count = /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  return count <= bitsMax ? [address, count] : undefined;
}

/** Networks of a setting, which has validated them. */
export function networksOf(texts: readonly string[]): Network[] {
  return texts.map((text) => {
    const network = parseNetwork(text);
    assert(network !== undefined, 'the setting takes nothing else');
    return network;
  });
}

/** Returns whether `address` is in one of the networks. */
export function isWithin(address: Address, networks: readonly Network[]): boolean {
  return networks.some(
    ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
  );
}

/** Bits of an address that identify a site rather than a client. */
const SITE_BITS = { ipv4: 24, ipv6: 48 } as const;

/** In 6to4 (2002::/16), an IPv4 address is the site: its first 24 bits are kept. */
const SIX_TO_FOUR_BITS = 40;

function isIn6to4([first, second, ...rest]: readonly number[]): boolean {
  return rest.length > 2 && first === 0x20 && second === 0x02;
}

/** Returns the network of an address without the bits that identify a client: /24 or /48. */
export function siteOf(address: Address): string {
  const bytes = address.toByteArray();
  const bits = isIn6to4(bytes) ? SIX_TO_FOUR_BITS : SITE_BITS[address.kind()];
  bytes.fill(0, bits / 8);
  return `${ipaddr.fromByteArray(bytes)}/${bits}`;
}

/** Returns whether `host`, a name or an address, is a loopback one. */
export function isLoopback(host: string): boolean {
  return ['localhost', '::1', '[::1]'].includes(host) || /^127(\.\d{1,3}){3}$/.test(host);
}

/** PROXY v2 headers, byte by byte: https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt. */
import { parseAddress } from '../../src/common/ip-addresses.ts';

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const VERSION_2_PROXY = 0x21;
const TCP = { ipv4: 0x11, ipv6: 0x21 } as const;

/** Returns the header of a TCP connection from `source`. */
export function proxyHeader(source: string): Buffer {
  const address = parseAddress(source);
  if (address === undefined) throw new TypeError(`${source} is no address`);
  const bytes = Buffer.from(address.toByteArray());
  const ports = Buffer.from([0xc0, 0x00, 0x23, 0x28]);
  const addresses = Buffer.concat([bytes, Buffer.alloc(bytes.length), ports]);
  const head = Buffer.from([VERSION_2_PROXY, TCP[address.kind()], 0, addresses.length]);
  return Buffer.concat([SIGNATURE, head, addresses]);
}

/** PROXY protocol, version 2: the header with which a proxy begins a connection. */

const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** Signature, version and command, family, length. */
const FIXED_BYTES = 16;
/** Longest address block and extensions accepted: a TLS extension takes a few hundred bytes. */
const LENGTH_MAX = 2048;
const VERSION = 2;
const ADDRESS_BYTES: Readonly<Record<number, number>> = { 1: 4, 2: 16 };

export interface ProxyHeader {
  /** Length of the header. */
  readonly bytes: number;
  /** Source address: 4 or 16 bytes, 0 for a connection of the proxy itself or of another family. */
  readonly address: ArrayBuffer;
}

/**
 * Parses the first bytes of a connection.
 * @returns undefined if they are no PROXY v2 header
 */
export function proxyHeaderOf(bytes: Buffer): ProxyHeader | 'incomplete' | 'invalid' | undefined {
  const known = Math.min(bytes.length, SIGNATURE.length);
  if (bytes.compare(SIGNATURE, 0, known, 0, known) !== 0) return undefined;
  if (bytes.length < FIXED_BYTES) return 'incomplete';
  const length = bytes.readUInt16BE(14);
  const command = bytes[12]! & 0x0f;
  if (bytes[12]! >> 4 !== VERSION || command > 1 || length > LENGTH_MAX) return 'invalid';
  if (bytes.length < FIXED_BYTES + length) return 'incomplete';
  const addressBytes = command === 0 ? 0 : (ADDRESS_BYTES[bytes[13]! >> 4] ?? 0);
  if (2 * addressBytes > length) return 'invalid';
  const address = new Uint8Array(bytes.subarray(FIXED_BYTES, FIXED_BYTES + addressBytes)).buffer;
  return { bytes: FIXED_BYTES + length, address };
}

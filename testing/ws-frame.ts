/** WebSocket frames byte by byte, valid or invalid. */

export const OPCODE = {
  continuation: 0,
  text: 1,
  binary: 2,
  close: 8,
  ping: 9,
  pong: 10,
} as const;

export interface FrameOptions {
  /** False = more fragments follow. */
  readonly fin?: boolean;
  /** Bits RSV1 to RSV3: 4, 2, 1. */
  readonly rsv?: number;
  /** Null = unmasked, which only servers may send. */
  readonly mask?: readonly [number, number, number, number] | null;
  /** Size of the length field in bits; by default the smallest that fits. */
  readonly lengthBits?: 7 | 16 | 64;
  /** Claimed length. */
  readonly claim?: bigint;
}

const MASK = [0x5a, 0x01, 0xff, 0x80] as const;

/** Frame as sent by a client. */
export function wsFrame(
  opcode: number,
  payload: string | Buffer = '',
  { fin = true, rsv = 0, mask = MASK, lengthBits, claim }: FrameOptions = {},
): Buffer {
  const bytes = Buffer.from(payload);
  const length = claim ?? BigInt(bytes.length);
  const bits = lengthBits ?? (length < 126n ? 7 : length < 65_536n ? 16 : 64);
  const head = Buffer.alloc(bits === 7 ? 2 : bits === 16 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = bits === 7 ? Number(length) : bits === 16 ? 126 : 127;
  if (bits === 16) head.writeUInt16BE(Number(length), 2);
  if (bits === 64) head.writeBigUInt64BE(length, 2);
  if (mask === null) return Buffer.concat([head, bytes]);
  head[1] |= 0x80;
  const masked = bytes.map((byte, index) => byte ^ mask[index % 4]!);
  return Buffer.concat([head, Buffer.from(mask), masked]);
}

/** Message in fragments with these payloads; the last one ends it. */
export function wsFragments(opcode: number, ...payloads: (string | Buffer)[]): Buffer[] {
  const last = payloads.length - 1;
  return payloads.map((payload, index) =>
    wsFrame(index === 0 ? opcode : OPCODE.continuation, payload, { fin: index === last }),
  );
}

/** Close frame; without a code: an empty one. */
export function wsClose(code?: number, reason: string | Buffer = ''): Buffer {
  if (code === undefined) return wsFrame(OPCODE.close);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return wsFrame(OPCODE.close, Buffer.concat([head, Buffer.from(reason)]));
}

/** Types of MessagePack, by the first byte of a value. */

export const KIND = {
  integer: 0,
  float: 1,
  string: 2,
  array: 3,
  map: 4,
  nil: 5,
  false: 6,
  true: 7,
  binary: 8,
  extension: 9,
  none: 10,
} as const;
type Kind = (typeof KIND)[keyof typeof KIND];

/** Range of first bytes, kind, and size of the following number: a value or a length. */
const TYPES: readonly (readonly [number, number, Kind, number])[] = [
  [0x00, 0x7f, KIND.integer, 0],
  [0x80, 0x8f, KIND.map, 0],
  [0x90, 0x9f, KIND.array, 0],
  [0xa0, 0xbf, KIND.string, 0],
  [0xc0, 0xc0, KIND.nil, 0],
  [0xc1, 0xc1, KIND.none, 0],
  [0xc2, 0xc2, KIND.false, 0],
  [0xc3, 0xc3, KIND.true, 0],
  [0xc4, 0xc6, KIND.binary, 0],
  [0xc7, 0xc9, KIND.extension, 0],
  [0xca, 0xca, KIND.float, 4],
  [0xcb, 0xcb, KIND.float, 8],
  [0xcc, 0xcc, KIND.integer, 1],
  [0xcd, 0xcd, KIND.integer, 2],
  [0xce, 0xce, KIND.integer, 4],
  [0xcf, 0xcf, KIND.integer, 8],
  [0xd0, 0xd0, KIND.integer, 1],
  [0xd1, 0xd1, KIND.integer, 2],
  [0xd2, 0xd2, KIND.integer, 4],
  [0xd3, 0xd3, KIND.integer, 8],
  [0xd4, 0xd8, KIND.extension, 0],
  [0xd9, 0xd9, KIND.string, 1],
  [0xda, 0xda, KIND.string, 2],
  [0xdb, 0xdb, KIND.string, 4],
  [0xdc, 0xdc, KIND.array, 2],
  [0xdd, 0xdd, KIND.array, 4],
  [0xde, 0xde, KIND.map, 2],
  [0xdf, 0xdf, KIND.map, 4],
  [0xe0, 0xff, KIND.integer, 0],
];

/** Kind of each first byte. */
export const KINDS = new Uint8Array(0x100);
/** Size in bytes of the number after each first byte. */
export const NUMBER_BYTES = new Uint8Array(0x100);
for (const [first, last, kind, numberBytes] of TYPES) {
  KINDS.fill(kind, first, last + 1);
  NUMBER_BYTES.fill(numberBytes, first, last + 1);
}

const UPPER = 2 ** 32;
const FLOAT32 = 0xca;
const INT8 = 0xd0;
const INT16 = 0xd1;
const INT32 = 0xd2;
const INT64 = 0xd3;
const UINT64 = 0xcf;
const NEGATIVE_FIXINT = 0xe0;
const STRING_MASK = 0x1f;
const COLLECTION_MASK = 0x0f;
/** Upper 32 bits of an integer at ±2^53. */
const UPPER_MAX = 2 ** 21;

/** Returns the length of the string, array or map at `at`, whose head is complete. */
export function lengthAt(bytes: Buffer, at: number): number {
  const type = bytes[at]!;
  const size = NUMBER_BYTES[type]!;
  if (size > 0) return bytes.readUIntBE(at + 1, size);
  return type & (KINDS[type] === KIND.string ? STRING_MASK : COLLECTION_MASK);
}

/** Returns the complete integer at `at`; undefined = beyond ±2^53. */
export function integerAt(bytes: Buffer, at: number): number | undefined {
  const type = bytes[at]!;
  switch (type) {
    case INT8:
      return bytes.readInt8(at + 1);
    case INT16:
      return bytes.readInt16BE(at + 1);
    case INT32:
      return bytes.readInt32BE(at + 1);
    case INT64:
      return join(bytes.readInt32BE(at + 1), bytes.readUInt32BE(at + 5));
    case UINT64:
      return join(bytes.readUInt32BE(at + 1), bytes.readUInt32BE(at + 5));
  }
  const size = NUMBER_BYTES[type]!;
  if (size > 0) return bytes.readUIntBE(at + 1, size);
  return type < NEGATIVE_FIXINT ? type : type - 0x100;
}

/** Returns the complete float at `at`. */
export function floatAt(bytes: Buffer, at: number): number {
  return bytes[at] === FLOAT32 ? bytes.readFloatBE(at + 1) : bytes.readDoubleBE(at + 1);
}

function join(upper: number, lower: number): number | undefined {
  const fits = upper < UPPER_MAX ? upper >= -UPPER_MAX : upper === UPPER_MAX && lower === 0;
  return fits ? upper * UPPER + lower : undefined;
}

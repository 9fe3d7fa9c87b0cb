/** SIMD: 16 bytes at once, one per lane. */

/** Bytes of a chunk. */
export const LANES = 16;
/** Mask of a chunk whose lanes all match. */
export const ALL_LANES = 0xffff;

/** Returns a chunk with `byte` in each lane. */
export function fill(byte: i32): v128 {
  return i8x16.splat(<i8>byte);
}

/** Returns the lanes of `chunk` that contain `byte`. */
export function equal(chunk: v128, byte: i32): v128 {
  return i8x16.eq(chunk, fill(byte));
}

/** Returns the lanes of `chunk` that contain `max` or less. */
export function atMost(chunk: v128, max: i32): v128 {
  return i8x16.eq(i8x16.min_u(chunk, fill(max)), chunk);
}

/** Returns one bit per lane, the first one lowest. */
export function maskOf(lanes: v128): i32 {
  return i8x16.bitmask(lanes);
}

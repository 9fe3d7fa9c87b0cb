/** The current table; its layout is in ../layout.ts. */

/** Returned in place of an address: the value is undecided, or it is not JSON. */
export const UNDECIDED = -1;
/** Bytes of a word. */
export const WORD = 4;
const WORD_BITS = 2;

/** Address of the current table. */
let table: i32 = 0;

export function selectTable(address: i32): void {
  table = address;
}

/** Returns the address of a part of the table. */
export function partAt(offset: i32): i32 {
  return table + offset;
}

/** Returns a word of the part at `address`. */
export function word(address: i32, index: i32): i32 {
  return load<i32>(address + (index << WORD_BITS));
}

/** Returns a double of the part at `address`, from word `index` on. */
export function double(address: i32, index: i32): f64 {
  return load<f64>(address + (index << WORD_BITS));
}

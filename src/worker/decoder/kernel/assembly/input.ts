/** Addresses that depend on the input. */

/** Address of the frame's offset 0. Results are offsets in the frame. */
export let origin: i32 = 0;
/** Memory for the text of one string without its escapes: as long as the input. */
export let scratch: i32 = 0;

/**
 * Declares the input.
 * @param originAddress address that the frame's offset 0 would have
 * @param scratchAddress memory behind the input and its padding
 */
export function setInput(originAddress: i32, scratchAddress: i32): void {
  origin = originAddress;
  scratch = scratchAddress;
}

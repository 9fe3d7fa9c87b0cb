import { LIMITS } from '../../../../config/limits.ts';

const EXTENDED_BYTES: Readonly<Record<number, number>> = { 126: 2, 127: 8 };
const MASK_BYTES = 4;
const FIRST_CONTROL_OPCODE = 8;

/**
 * Follows the frames in a client's input, to know the memory that its incomplete message takes in
 * ws: all of each chunk that holds a part of it, plus overhead per chunk and fragment. ws has
 * validated the chunks.
 */
export class PartialMessage {
  #bytes = 0;
  /** Frames of the message that are complete. */
  #fragments = 0;
  /** The current frame: bytes of its header without the mask; 0 = none has begun. */
  #headerBytes = 0;
  #extendedBytes = 0;
  #isFinal = false;
  #isControl = false;
  /** Its mask and payload that have not arrived. */
  #restBytes = 0;

  /** @returns the bytes of memory that the incomplete message takes from now on; 0 = none */
  add(chunk: Uint8Array): number {
    let isHeld = false;
    for (let at = 0; at < chunk.length; ) {
      if (this.#headerBytes < 2 + this.#extendedBytes) {
        this.#readHeader(chunk[at++]!);
        continue;
      }
      const bytes = Math.min(this.#restBytes, chunk.length - at);
      at += bytes;
      this.#restBytes -= bytes;
      isHeld ||= !this.#isControl;
      if (this.#restBytes > 0) break;
      this.#headerBytes = 0;
      this.#extendedBytes = 0;
      if (!this.#isControl) {
        this.#fragments = this.#isFinal ? 0 : this.#fragments + 1;
        this.#bytes += LIMITS.chunkOverheadBytes;
      }
      if (this.#fragments > 0) continue;
      this.#bytes = 0;
      isHeld = false;
    }
    if (isHeld || this.#headerBytes > 0) this.#bytes += chunk.length + LIMITS.chunkOverheadBytes;
    return this.#bytes;
  }

  #readHeader(byte: number): void {
    if (this.#headerBytes === 0) {
      this.#isFinal = byte >= 0x80;
      this.#isControl = (byte & 0x0f) >= FIRST_CONTROL_OPCODE;
    } else if (this.#headerBytes === 1) {
      const length = byte & 0x7f;
      this.#extendedBytes = EXTENDED_BYTES[length] ?? 0;
      this.#restBytes = this.#extendedBytes === 0 ? length : 0;
    } else this.#restBytes = this.#restBytes * 256 + byte;
    this.#headerBytes++;
    if (this.#headerBytes === 2 + this.#extendedBytes) this.#restBytes += MASK_BYTES;
  }
}

const SLAB_BYTES = 1024 * 1024;

/** Memory for packets on their way to the kernel: one allocation per megabyte. */
export class Slab {
  #bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #used = 0;

  /** Returns unused bytes with arbitrary content. */
  allocate(length: number): Buffer {
    if (length > SLAB_BYTES) return Buffer.allocUnsafeSlow(length);
    if (this.#used + length > SLAB_BYTES) {
      this.#bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const start = this.#used;
    this.#used += length;
    return this.#bytes.subarray(start, this.#used);
  }
}

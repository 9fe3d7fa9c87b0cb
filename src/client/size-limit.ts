/** Growth factor near a size that has failed: it may fail again. */
const CAREFUL = 9 / 8;
/** An attempt of a third of the size counts as full: the next event may be as long as the rest. */
const FULL = 3;

/**
 * Adaptive size limit of one attempt, a frame or a body, in bytes. An attempt without a timely
 * response may have been too long for the network, so the next one has half its size, and never
 * more than before. The limit grows again with each success: far below the size that failed, it
 * doubles.
 */
export class SizeLimit {
  readonly #max: number;
  #bytes: number;
  #failedBytes = Number.POSITIVE_INFINITY;
  #careful = false;

  constructor(first: number, max: number) {
    this.#bytes = first;
    this.#max = max;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The last attempt was cut: it is unknown whether anything gets through. */
  get careful(): boolean {
    return this.#careful;
  }

  /**
   * @param tried limit when it was sent: of many that succeed, one raises it
   * @param grows false: it was so slow that a longer one would take too long
   */
  passed(bytes: number, tried: number, grows = true): void {
    this.#careful = false;
    if (bytes >= this.#failedBytes) this.#failedBytes = Number.POSITIVE_INFINITY;
    // A short attempt proves nothing about long ones.
    if (!grows || tried !== this.#bytes || FULL * bytes < tried) return;
    const next = Math.max(bytes, this.#bytes);
    const factor = 4 * next < this.#failedBytes ? 2 : CAREFUL;
    this.#bytes = Math.min(this.#max, next * factor);
  }

  failed(bytes: number, careful = false): void {
    this.#careful = careful;
    this.#failedBytes = Math.min(this.#failedBytes, bytes);
    this.#bytes = Math.min(this.#bytes, bytes / 2);
  }
}

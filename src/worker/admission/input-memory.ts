/** Memory of input that waits: all holders together have a bound. */
export interface Holding {
  readonly bytes: number;
  /** Holds so many from now on; may evict this holder or another one. */
  set(bytes: number): void;
  release(): void;
}

interface Held {
  bytes: number;
  readonly evict: () => void;
}

/** Bytes that a worker holds of input, against one limit. */
export class InputMemory {
  readonly #limitBytes: number;
  readonly #held = new Set<Held>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /** @param evict gives the memory back: the holder was the greatest when there was too much */
  hold(evict: () => void): Holding {
    const held: Held = { bytes: 0, evict };
    this.#held.add(held);
    const change = (bytes: number) => {
      this.#bytes += bytes - held.bytes;
      held.bytes = bytes;
    };
    return {
      get bytes() {
        return held.bytes;
      },
      set: (bytes) => {
        if (!this.#held.has(held)) return;
        change(bytes);
        if (this.#bytes > this.#limitBytes) this.#evictGreatest();
      },
      release: () => {
        if (this.#held.delete(held)) change(0);
      },
    };
  }

  #evictGreatest(): void {
    let greatest: Held | undefined;
    for (const held of this.#held) if (held.bytes > (greatest?.bytes ?? 0)) greatest = held;
    if (greatest === undefined) return;
    this.#held.delete(greatest);
    this.#bytes -= greatest.bytes;
    greatest.bytes = 0;
    greatest.evict();
  }
}

/** Sets of offsets of one partition, as ranges. */

/** Offsets from the first number to the second, both included. */
export type OffsetRange = readonly [first: number, last: number];

const TEXT = /^(0|[1-9]\d{0,15})(?:-([1-9]\d{0,15}))?$/;

/** Set of offsets, kept as disjoint ranges in order. */
export class OffsetSet {
  readonly #firsts: number[] = [];
  readonly #lasts: number[] = [];

  /** Parses {@link text}; undefined if invalid. */
  static parse(text: string): OffsetSet | undefined {
    const set = new OffsetSet();
    for (const part of text.split(',')) {
      const [, first, last = first] = TEXT.exec(part) ?? [];
      if (first === undefined || Number(last) < Number(first)) return undefined;
      if (!Number.isSafeInteger(Number(last))) return undefined;
      set.add(Number(first), Number(last));
    }
    return set;
  }

  /** Number of offsets. */
  get size(): number {
    return this.sizeFrom(0);
  }

  /** Number of offsets that are at least `offset`. */
  sizeFrom(offset: number): number {
    let size = 0;
    for (let index = this.#firsts.length - 1; index >= 0; index--) {
      const last = this.#lasts[index]!;
      if (last < offset) break;
      size += last - Math.max(offset, this.#firsts[index]!) + 1;
    }
    return size;
  }

  /** Last offset; undefined if there is none. */
  get last(): number | undefined {
    return this.#lasts.at(-1);
  }

  get ranges(): OffsetRange[] {
    return this.#firsts.map((first, index) => [first, this.#lasts[index]!]);
  }

  has(offset: number): boolean {
    const index = this.#indexOf(offset);
    return index < this.#firsts.length && this.#firsts[index]! <= offset;
  }

  /** Adds the offsets from `first` to `last`, and joins ranges that touch. */
  add(first: number, last = first): void {
    const from = this.#indexOf(first - 1);
    let to = from;
    let [start, end] = [first, last];
    for (; to < this.#firsts.length && this.#firsts[to]! <= last + 1; to++) {
      start = Math.min(start, this.#firsts[to]!);
      end = Math.max(end, this.#lasts[to]!);
    }
    this.#firsts.splice(from, to - from, start);
    this.#lasts.splice(from, to - from, end);
  }

  /** Removes the offsets from `first` to `last`. */
  remove(first: number, last = first): void {
    const from = this.#indexOf(first);
    const firsts: number[] = [];
    const lasts: number[] = [];
    let to = from;
    for (; to < this.#firsts.length && this.#firsts[to]! <= last; to++) {
      const [start, end] = [this.#firsts[to]!, this.#lasts[to]!];
      if (start < first) {
        firsts.push(start);
        lasts.push(first - 1);
      }
      if (end > last) {
        firsts.push(last + 1);
        lasts.push(end);
      }
    }
    this.#firsts.splice(from, to - from, ...firsts);
    this.#lasts.splice(from, to - from, ...lasts);
  }

  /** Ranges separated by commas: `3,7-12`. */
  get text(): string {
    return this.ranges
      .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`))
      .join(',');
  }

  /** Returns the index of the first range that ends at `offset` or later. */
  #indexOf(offset: number): number {
    let [low, high] = [0, this.#lasts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#lasts[middle]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Sets of offsets by partition. */
export class PartitionedOffsets {
  readonly #sets = new Map<number, OffsetSet>();

  /** Returns the set of a partition, an empty one if it has none yet. */
  of(partition: number): OffsetSet {
    let set = this.#sets.get(partition);
    if (set === undefined) {
      set = new OffsetSet();
      this.#sets.set(partition, set);
    }
    return set;
  }

  /** Number of offsets in all partitions. */
  get size(): number {
    return [...this.#sets.values()].reduce((sum, set) => sum + set.size, 0);
  }

  /** Partitions with offsets. */
  get partitions(): number[] {
    return [...this.#sets].filter(([, set]) => set.size > 0).map(([partition]) => partition);
  }

  /** Adds all offsets of `others`. */
  addAll(others: PartitionedOffsets): void {
    others.#each((partition, [first, last]) => this.of(partition).add(first, last));
  }

  /** Removes all offsets of `others`. */
  removeAll(others: PartitionedOffsets): void {
    others.#each((partition, [first, last]) => this.of(partition).remove(first, last));
  }

  /** Texts of the sets by partition, without empty ones. */
  toJSON(): Record<string, string> {
    return Object.fromEntries(
      this.partitions.map((partition) => [String(partition), this.of(partition).text]),
    );
  }

  /** Parses {@link toJSON}; undefined if invalid. */
  static parse(value: unknown): PartitionedOffsets | undefined {
    const offsets = new PartitionedOffsets();
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    for (const [partition, text] of Object.entries(value)) {
      const set = typeof text === 'string' ? OffsetSet.parse(text) : undefined;
      if (set === undefined || !/^(0|[1-9]\d{0,9})$/.test(partition)) return undefined;
      offsets.#sets.set(Number(partition), set);
    }
    return offsets;
  }

  #each(visit: (partition: number, range: OffsetRange) => void): void {
    for (const [partition, set] of this.#sets) {
      for (const range of set.ranges) visit(partition, range);
    }
  }
}

/** Kafka's compact types: length + 1 as a varint, 0 = null. */
export class CompactWriter {
  readonly #parts: Buffer[] = [];

  get buffer(): Buffer {
    return Buffer.concat(this.#parts);
  }

  int16(value: number): this {
    const bytes = Buffer.alloc(2);
    bytes.writeInt16BE(value);
    return this.raw(bytes);
  }

  int32(value: number): this {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    return this.raw(bytes);
  }

  string(value: string | null): this {
    if (value === null) return this.#varint(0);
    const bytes = Buffer.from(value);
    return this.#varint(bytes.length + 1).raw(bytes);
  }

  array<T>(items: Iterable<T>, write: (item: T) => void): this {
    const all = [...items];
    this.#varint(all.length + 1);
    for (const item of all) write(item);
    return this;
  }

  /** No tagged fields. */
  tags(): this {
    return this.#varint(0);
  }

  raw(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }

  #varint(value: number): this {
    const bytes: number[] = [];
    let rest = value;
    for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
    return this.raw(Buffer.from([...bytes, rest]));
  }
}

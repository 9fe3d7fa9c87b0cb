/** Kafka's primitive types (kafka.apache.org/protocol), big-endian, without the compact ones. */

/** Reader of a request. Reading beyond its end throws RangeError. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1));
  }
  boolean(): boolean {
    return this.int8() !== 0;
  }
  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2));
  }
  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }
  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#skip(8));
  }
  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.#take(length).toString();
  }
  /** Returns a copy: the connection's buffer is not kept. */
  bytes(): Buffer | null {
    const length = this.int32();
    return length < 0 ? null : Buffer.from(this.#take(length));
  }
  /** Unsigned varint, as in compact lengths and tagged fields. */
  varint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#skip(1));
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  }
  compactString(): string | null {
    const length = this.varint();
    return length === 0 ? null : this.#take(length - 1).toString();
  }
  compactArray<T>(item: () => T): T[] | null {
    const length = this.varint();
    return length === 0 ? null : Array.from({ length: length - 1 }, item);
  }
  raw(length: number): Buffer {
    return this.#take(length);
  }
  tags(): void {
    for (let left = this.varint(); left > 0; left--) {
      this.varint();
      this.#take(this.varint());
    }
  }
  /** null = a null array */
  array<T>(item: () => T): T[] | null {
    const length = this.int32();
    return length < 0 ? null : Array.from({ length }, item);
  }

  #take(length: number): Buffer {
    if (length > this.left) throw new RangeError(`${length} bytes wanted, ${this.left} left`);
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }

  #skip(length: number): number {
    const from = this.#at;
    this.#at += length;
    return from;
  }
}

/** Writer of a response. */
export class Writer {
  readonly #parts: Buffer[] = [];

  get buffer(): Buffer {
    return Buffer.concat(this.#parts);
  }

  int8(value: number): this {
    return this.#fixed(1, (bytes) => bytes.writeInt8(value));
  }
  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }
  int16(value: number): this {
    return this.#fixed(2, (bytes) => bytes.writeInt16BE(value));
  }
  int32(value: number): this {
    return this.#fixed(4, (bytes) => bytes.writeInt32BE(value));
  }
  int64(value: number | bigint): this {
    return this.#fixed(8, (bytes) => bytes.writeBigInt64BE(BigInt(value)));
  }
  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const bytes = Buffer.from(value);
    return this.int16(bytes.length).raw(bytes);
  }
  bytes(value: Buffer): this {
    return this.int32(value.length).raw(value);
  }
  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }
  raw(bytes: Buffer): this {
    this.#parts.push(bytes);
    return this;
  }

  #fixed(length: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(length);
    write(bytes);
    return this.raw(bytes);
  }
}

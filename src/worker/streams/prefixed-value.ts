import { KIB } from '../../config/limits.ts';
import { PREFIX_BYTES, prefixOf } from '../../kafka/schema-identity.ts';

/** Bytes of most events. */
const FIRST_BYTES = 4 * KIB;

/** Values with the id of their schema before them; holds one at a time. */
export class PrefixedValue {
  /** The value, from the start. */
  bytes: Buffer;
  length = PREFIX_BYTES;
  readonly #prefix: Buffer;

  /** @param id of the schema in its registry */
  constructor(id: number) {
    this.#prefix = prefixOf(id);
    this.bytes = Buffer.concat([this.#prefix], FIRST_BYTES);
  }

  /** Replaces the value by `source[start, end)` with the prefix. */
  set(source: Buffer, start: number, end: number): this {
    const length = PREFIX_BYTES + end - start;
    if (length > this.bytes.length) this.bytes = Buffer.concat([this.#prefix], 2 * length);
    source.copy(this.bytes, PREFIX_BYTES, start, end);
    this.length = length;
    return this;
  }
}

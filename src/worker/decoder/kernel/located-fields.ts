/** Fields of an accepted event, as ranges of the bytes of its frame. */
import type { KeyRange } from '../../accumulator/key-range.ts';
import { murmur2 } from '../../accumulator/murmur2.ts';
import { KEY_SEPARATOR } from '../key-field.ts';
import {
  RESULT_ID,
  RESULT_KEY,
  RESULT_KEY_HASH,
  RESULT_PROFILE,
  RESULT_TIME,
  RESULT_TRACE,
} from './layout.ts';

const SEPARATOR = Buffer.from(KEY_SEPARATOR);

/** A length of -1 = the event has no such field. */
export class LocatedFields implements KeyRange {
  /** Index of the profile of the event. */
  profile = 0;
  /** The key, if it is a single field; otherwise its first part, until {@link joinKey}. */
  keySource: Uint8Array = Buffer.alloc(0);
  keyStart = 0;
  keyBytes = -1;
  keyHash = 0;
  idStart = 0;
  idBytes = -1;
  timeStart = 0;
  timeBytes = -1;
  traceStart = 0;
  traceBytes = -1;
  #joined = Buffer.alloc(0);
  #parts: Int32Array = new Int32Array(0);
  #at = 0;

  /**
   * Reads the result of an event at `results[at]`, which must not change before {@link joinKey}.
   * @param bytes of its frame
   */
  read(results: Int32Array, at: number, bytes: Uint8Array): this {
    this.keySource = bytes;
    this.profile = results[at + RESULT_PROFILE]!;
    this.keyStart = results[at + RESULT_KEY]!;
    this.keyBytes = results[at + RESULT_KEY + 1]!;
    this.keyHash = results[at + RESULT_KEY_HASH]!;
    this.idStart = results[at + RESULT_ID]!;
    this.idBytes = results[at + RESULT_ID + 1]!;
    this.timeStart = results[at + RESULT_TIME]!;
    this.timeBytes = results[at + RESULT_TIME + 1]!;
    this.traceStart = results[at + RESULT_TRACE]!;
    this.traceBytes = results[at + RESULT_TRACE + 1]!;
    this.#parts = results;
    this.#at = at + RESULT_KEY;
    return this;
  }

  /** Text of the key; undefined = none. */
  get keyText(): string | undefined {
    const { keySource, keyStart, keyBytes } = this;
    if (keyBytes < 0) return undefined;
    return Buffer.from(keySource.buffer, keySource.byteOffset + keyStart, keyBytes).toString();
  }

  /** Makes the key of its parts, as RecordKey does; none if the event lacks one of them. */
  joinKey(parts: number): void {
    let length = (parts - 1) * SEPARATOR.length;
    for (let part = 0; part < parts; part++) {
      const bytes = this.#parts[this.#at + 2 * part + 1]!;
      if (bytes < 0) {
        this.keyBytes = -1;
        return;
      }
      length += bytes;
    }
    if (length > this.#joined.length) this.#joined = Buffer.alloc(2 * length);
    const joined = this.#joined;
    let at = 0;
    for (let part = 0; part < parts; part++) {
      if (part > 0) at += SEPARATOR.copy(joined, at);
      const start = this.#parts[this.#at + 2 * part]!;
      const end = start + this.#parts[this.#at + 2 * part + 1]!;
      for (let from = start; from < end; from++) joined[at++] = this.keySource[from]!;
    }
    this.keySource = joined;
    this.keyStart = 0;
    this.keyBytes = length;
    this.keyHash = murmur2(joined, 0, length);
  }
}

/** Fields of the event that is passed to a sink now. */
export const located = new LocatedFields();

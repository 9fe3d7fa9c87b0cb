/** Key of a record, as a range of bytes. */
export interface KeyRange {
  readonly keySource: Uint8Array;
  readonly keyStart: number;
  /** -1 = the record has no key: any partition. */
  readonly keyBytes: number;
  /** Murmur2 of the key. */
  readonly keyHash: number;
}

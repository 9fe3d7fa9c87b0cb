/** Accumulators of a replay: one marks its records, one only checks events. */
import assert from 'node:assert/strict';
import type { EventCode } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import { Accumulator } from '../../worker/accumulator/accumulator.ts';
import type { EncodedHeaders } from '../../worker/accumulator/records.ts';
import { encodedHeader } from '../../worker/streams/header-encoder.ts';

/** Position of the dead letter that a record was replayed from: `PARTITION:OFFSET`. */
export const REPLAYED_HEADER = 'fb-replayed';

/** Number of headers up to which their count takes one byte. */
const COUNT_MAX = 63;
/** A partition and an offset with all of their digits, the name, and lengths. */
const TRAILER_BYTES = 64;

/** Adds the header {@link REPLAYED_HEADER} as the last one of each record. */
export class MarkingAccumulator extends Accumulator {
  readonly #headers = {
    bytes: Buffer.alloc(LIMITS.recordHeaders.bytes + TRAILER_BYTES),
    length: 0,
  };
  #trailer: Buffer = Buffer.alloc(0);

  /** Sets the dead letter that subsequent events are from. */
  setOrigin(partition: number, offset: number): void {
    this.#trailer = encodedHeader(REPLAYED_HEADER, `${partition}:${offset}`);
  }

  override useFormat({ bytes, length }: EncodedHeaders, eventTime: number | undefined): void {
    const headers = this.#headers;
    const trailer = this.#trailer;
    const count = bytes[0]! >> 1;
    assert(count < COUNT_MAX && length + trailer.length <= headers.bytes.length, 'there is room');
    bytes.copy(headers.bytes, 0, 0, length);
    headers.bytes[0] = (count + 1) << 1;
    trailer.copy(headers.bytes, length);
    headers.length = length + trailer.length;
    super.useFormat(headers, eventTime);
  }
}

/** Accepts every event, and keeps none. */
export class CheckingAccumulator extends Accumulator {
  override acceptsFrames(): boolean {
    return true;
  }

  override append(): EventCode | undefined {
    return undefined;
  }

  override appendWithKey(): EventCode | undefined {
    return undefined;
  }
}

import type { OwnerIdentity } from '../../accumulator/batch.ts';
import type { Buckets } from '../../admission/token-bucket.ts';
import type { Provenance } from '../../streams/provenance.ts';
import type { Route } from '../../streams/route.ts';
import type { ShownParts } from '../query.ts';
import type { MediaType } from './content-types.ts';
import type { Encoding } from './inflate.ts';
import type { PendingResponse } from './pending-response.ts';

/** A complete body as received. */
export interface ReceivedBody {
  /** Valid only during the call. */
  readonly bytes: Buffer;
  readonly media: MediaType;
  readonly encoding: Encoding | 'identity';
  readonly route: Route;
  readonly provenance: Provenance;
  /** Rate limits of its sender; undefined = none. */
  readonly buckets: Buckets | undefined;
  readonly identity: OwnerIdentity;
  /** Shares the body slots: the sender's key, or else its address. */
  readonly sender: string;
  /** Parts of the response in addition to results. */
  readonly shows: ShownParts;
}

/** A received body and its response. */
export interface PendingBody extends ReceivedBody {
  /** Bytes as received, before decompression. */
  readonly receivedBytes: number;
  readonly response: PendingResponse;
  /** When its last byte arrived, by the monotonic clock. */
  readonly completeAtMs: number;
}

/**
 * Returns a body whose last byte has just arrived. Field by field: with spread objects, the memory
 * of a request stays in use until a full GC.
 */
export function pendingBody(
  received: ReceivedBody,
  receivedBytes: number,
  response: PendingResponse,
): PendingBody {
  const { bytes, media, encoding, route, provenance, buckets, identity, sender } = received;
  const completeAtMs = performance.now();
  return {
    bytes,
    media,
    encoding,
    route,
    provenance,
    buckets,
    identity,
    sender,
    shows: received.shows,
    receivedBytes,
    response,
    completeAtMs,
  };
}

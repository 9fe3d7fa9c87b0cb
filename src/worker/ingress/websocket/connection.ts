/** State of one WebSocket. */
import { LIMITS } from '../../../config/limits.ts';
import type { CloseReason } from '../../../metrics/catalogue.ts';
import type { Owner } from '../../accumulator/batch.ts';
import type { AckStream } from '../../acknowledger/ack-stream.ts';
import type { AddressKey } from '../../admission/address.ts';
import type { Identity } from '../../admission/identity.ts';
import type { Buckets } from '../../admission/token-bucket.ts';
import type { WebSocket } from '../uws.ts';
import type { FrameSource } from './frames.ts';
import type { Goaway } from './goaway.ts';

/** What uWebSockets.js keeps for each connection. */
export interface Connection extends FrameSource {
  readonly acknowledged: boolean;
  readonly identity: Identity;
  readonly addressKey: AddressKey;
  /** What bounds its own rate of events, and that of its address, if anything does. */
  readonly ownBuckets: Buckets;
  /** That, and what bounds its key's, as of when it was last looked at. */
  buckets: Buckets | undefined;
  keyBuckets: Buckets | undefined;
  stream: AckStream | undefined;
  owner: Owner;
  /** Why we ended it. */
  endReason: CloseReason | undefined;
  /** It was told to go away. */
  goaway: Goaway | undefined;
  terminate: () => void;
  endFlooding: () => void;
  /** When it is told so because of its age. */
  readonly maxAgeAtMs: number;
  /** It has completed a message that is not too long. */
  hasMessage: boolean;
  /** When it last did, about, or was opened. */
  lastMessageAtMs: number;
}
/**
 * Returns up to `most` open connections that may hold a part of a message: first those that have never
 * completed one, then those that have completed none for `LIMITS.silentMs`; of either kind the longest
 * silent.
 */
export function longestSilent<S extends Pick<WebSocket<Connection>, 'getUserData'>>(
  sockets: Iterable<S>,
  max: number,
): S[] {
  const silentSinceMs = performance.now() - LIMITS.silentMs;
  const silent = [...sockets].filter((socket) => {
    const { hasMessage, lastMessageAtMs, endReason } = socket.getUserData();
    return endReason === undefined && (!hasMessage || lastMessageAtMs <= silentSinceMs);
  });
  silent.sort((a, b) => {
    const [one, other] = [a.getUserData(), b.getUserData()];
    if (one.hasMessage !== other.hasMessage) return one.hasMessage ? 1 : -1;
    return one.lastMessageAtMs - other.lastMessageAtMs;
  });
  return silent.slice(0, max);
}

/** Why a connection ended that we did not end. */
export function closeReason(code: number, reason: ArrayBuffer): CloseReason {
  if (code !== 1006) return 'normal';
  return /inactivity|timeout/i.test(Buffer.from(reason).toString()) ? 'idle' : 'lost';
}

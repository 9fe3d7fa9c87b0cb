/** State of one WebSocket. */
import { LIMITS } from '../../../config/limits.ts';
import type { CloseReason } from '../../../metrics/catalogue.ts';
import type { Owner } from '../../accumulator/batch.ts';
import type { AckStream } from '../../acknowledger/ack-stream.ts';
import type { Place } from '../../admission/address.ts';
import type { Identity } from '../../admission/identity.ts';
import type { Buckets } from '../../admission/token-bucket.ts';
import type { WebSocket } from '../uws.ts';
import type { FrameSource } from './frames.ts';
import type { Leaving } from './goaway.ts';

/** What uWebSockets.js keeps for each connection. */
export interface Connection extends FrameSource {
  readonly acknowledged: boolean;
  readonly identity: Identity;
  readonly place: Place;
  /** What bounds its own rate of events, and that of its address, if anything does. */
  readonly own: Buckets;
  /** That, and what bounds its key's, as of when it was last looked at. */
  buckets: Buckets | undefined;
  ofKey: Buckets | undefined;
  stream: AckStream | undefined;
  owner: Owner;
  /** Why we ended it. */
  ended: CloseReason | undefined;
  /** It was told to go away. */
  leaving: Leaving | undefined;
  cut: () => void;
  flooded: () => void;
  /** When it is told so because of its age. */
  readonly oldAtMs: number;
  /** It has completed a message that is not too long. */
  heard: boolean;
  /** When it last did, about, or was opened. */
  heardAtMs: number;
}
/**
 * Returns up to `most` open connections that may hold a part of a message: first those that have never
 * completed one, then those that have completed none for `LIMITS.silentMs`; of either kind the longest
 * silent.
 */
export function longestSilent<S extends Pick<WebSocket<Connection>, 'getUserData'>>(
  sockets: Iterable<S>,
  most: number,
): S[] {
  const heardBeforeMs = performance.now() - LIMITS.silentMs;
  const silent = [...sockets].filter((socket) => {
    const { heard, heardAtMs, ended } = socket.getUserData();
    return ended === undefined && (!heard || heardAtMs <= heardBeforeMs);
  });
  silent.sort((a, b) => {
    const [one, other] = [a.getUserData(), b.getUserData()];
    if (one.heard !== other.heard) return one.heard ? 1 : -1;
    return one.heardAtMs - other.heardAtMs;
  });
  return silent.slice(0, most);
}

/** Why a connection ended that we did not end. */
export function closeReason(code: number, reason: ArrayBuffer): CloseReason {
  if (code !== 1006) return 'normal';
  return /inactivity|timeout/i.test(Buffer.from(reason).toString()) ? 'idle' : 'lost';
}

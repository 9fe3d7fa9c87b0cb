/** State of one WebSocket. */
import { LIMITS } from '../../../config/limits.ts';
import type { CloseReason } from '../../../metrics/labels.ts';
import type { Owner } from '../../accumulator/batch.ts';
import type { AckStream } from '../../acknowledger/ack-stream.ts';
import { PLAIN, plainOwner } from '../../acknowledger/acknowledger.ts';
import type { AddressKey } from '../../admission/address.ts';
import type { Identity } from '../../admission/identity.ts';
import { type Buckets, mergeBuckets } from '../../admission/token-bucket.ts';
import { Inflow } from '../../overload/flood.ts';
import type { Allocation } from '../../overload/input-memory.ts';
import type { Route } from '../../streams/route.ts';
import type { Sender } from '../../streams/stream.ts';
import type { Authorized } from '../authorize.ts';
import { provenanceOf } from '../client-facts.ts';
import type { WebSocket } from '../transport/transport.ts';
import type { FrameSource } from './frames.ts';
import type { Goaway } from './goaway.ts';
import type { Handshake } from './upgrades.ts';

/** User data of each connection in uWebSockets.js. */
export interface Connection extends FrameSource {
  readonly acknowledged: boolean;
  readonly identity: Identity;
  /** Stream in its path; undefined = none. */
  readonly streamName: string | undefined;
  sender: Sender;
  /** `identity.streams` as of the route. */
  routedStreams: ReadonlySet<string> | undefined;
  readonly addressKey: AddressKey;
  /** Destination of its events, by its path and identity. */
  route: Route;
  /** Rate limits of the connection and its address. */
  readonly ownBuckets: Buckets;
  /** `ownBuckets` and the limits of the client's key, as of the last check. */
  buckets: Buckets | undefined;
  keyBuckets: Buckets | undefined;
  ackStream: AckStream | undefined;
  owner: Owner;
  /** Reason if this side ended it. */
  endReason: CloseReason | undefined;
  /** Set when `goaway` is sent. */
  goaway: Goaway | undefined;
  /** Memory of its incomplete message, if the transport reports it. */
  partial: Allocation | undefined;
  terminate: () => void;
  endFlooding: () => void;
  /** When `goaway` is sent because of its age. */
  readonly maxAgeAtMs: number;
  /** A message within the frame limit was completed. */
  hasMessage: boolean;
  /** Approximate time of the last one, or of the open. */
  lastMessageAtMs: number;
}

/**
 * Returns the state of a new connection.
 * @param ownBuckets rate limits of the connection and its address
 * @param maxAgeAtMs see {@link Connection}
 */
export function newConnection(
  { acknowledged, addressKey, streamName, origin, client }: Handshake,
  { identity, route }: Authorized,
  ownBuckets: Buckets,
  maxAgeAtMs: number,
): Connection {
  return {
    acknowledged,
    identity,
    addressKey,
    streamName,
    sender: { identity, origin, plain: !acknowledged },
    routedStreams: identity.streams,
    route,
    provenance: provenanceOf(client, identity),
    ownBuckets,
    buckets: mergeBuckets(ownBuckets, identity.buckets),
    keyBuckets: identity.buckets,
    ackStream: undefined,
    // Replaced by the ack stream of an acknowledged client when the connection opens.
    owner: acknowledged ? PLAIN : plainOwner(identity),
    endReason: undefined,
    goaway: undefined,
    maxAgeAtMs,
    hasMessage: false,
    lastMessageAtMs: performance.now(),
    inflow: new Inflow(),
    queue: undefined,
    partial: undefined,
    terminate: () => {},
    endFlooding: () => {},
  };
}

/**
 * Returns up to `max` open connections that may hold a partial message: first those that have never
 * completed one, then those that have completed none for `LIMITS.silentMs`; each in order of
 * silence, longest first.
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

/** Returns the reason for a connection that this side did not end. */
export function closeReason(code: number, reason: ArrayBuffer): CloseReason {
  if (code !== 1006) return 'normal';
  return /inactivity|timeout/i.test(Buffer.from(reason).toString()) ? 'idle' : 'lost';
}

/**
 * Bounds that are not settings, and how bounds relate. What an operator may turn is in config.ts.
 * Each number says what breaks beyond it.
 */
import assert from 'node:assert/strict';

export const KIB = 1024;
export const MIB = 1024 * KIB;

export const LIMITS = {
  /** Events in one WebSocket frame. With the frame's byte bound it caps a loop turn's work. */
  frameEvents: 1_000,
  /** Events in one HTTP body. */
  bodyEvents: 10_000,
  /** Bytes of one HTTP body, counted as they arrive. */
  bodyBytes: MIB,
  /** WebSockets of a worker: what the kernel keeps for each is beside the budget. Fewer where fewer
   * files may be open: some are kept, most of these for brokers and what the process itself needs,
   * the others for requests and for handshakes that are refused. */
  connections: 20_000,
  keptFiles: { share: 0.1, least: 64, forBrokers: 0.75 },
  /** Bytes that a client may leave unread before it is closed as `slow_consumer`. */
  unreadBytes: 64 * KIB,
  /** Seconds without a message, answered ping included, before a connection is closed. */
  idleSeconds: 120,
  /** How far a connection may be ahead of what is settled: frames, and bytes at the most. */
  creditFrames: 64,
  creditBytes: 256 * KIB,
  /** All connections of a worker together may be ahead by so many times what its buffer holds;
   * one greatest frame per connection is always granted. */
  creditOvercommit: 2,
  /** Share of the buffer at which credit stops to rise, bodies are read no further and no more
   * traffic is wanted, and below which all that is over. */
  highWater: { stop: 0.8, resume: 0.6 },
  /** How long the reading of an HTTP body waits at the most for room in the buffer. */
  bodyPauseMs: 1_000,
  /** What one connection may send in one turn of the event loop. uWebSockets.js cannot pause a
   * WebSocket and reads on while more comes: beyond it, one sender starves all the others. */
  turnMessages: 20_000,
  turnBytes: 16 * MIB,
  /** The oldest event of a batch may be this old when another joins it (see 'deadlines'). */
  batchOpenMsMax: 1_000,
  /** Copies of a request at the most: TLS gathers its pieces and enciphers them. */
  requestCopies: 2,
  /** What the bookkeeping of one buffered event takes beside its bytes, about. */
  eventOverheadBytes: 40,
  /** `max.message.bytes` of a topic whose configuration may not be read: the least default that
   * Kafka versions ever had. */
  maxMessageBytesDefault: 1_000_012,
  /** A response longer than this is not one of a broker's. */
  responseBytes: 16 * MIB,
  /** How long what a client sent before it heard `goaway` may be on its way: then it is refused. */
  goawayGraceMs: 1_000,
  /** A worker that ends takes handshakes and requests for so long, of connections just accepted. */
  lastRequestsMs: 50,
  /** How often a worker looks for connections that are old enough, at the most. */
  ageLookMs: 1_000,
  /** Share of the greatest age by which that of a connection differs, at random. */
  ageJitter: 0.1,
  /** How often the primary looks, within FOREBAY_WORKER_TIMEOUT_MS, whether a worker has spoken;
   * one that starts may be silent for so many times that. */
  workerLooks: 10,
  startTimeouts: 3,
  /** How long a replacement may look for Kafka before it takes over without. */
  replacementTopicMs: 5_000,
  /** MiB of a semi-space of a worker's young generation, of which V8 has three: by default 16 each,
   * filled before they are looked at, and that beside the budget. */
  semiSpaceMib: 4,
  /** How often a worker sends its numbers to the primary. */
  snapshotIntervalMs: 1_000,
  /** Pause before a dead worker is replaced: doubles from the first to the last. */
  restartDelayMs: { first: 100, last: 10_000 },
  /** Workers that die in a row before they listened: then the instance gives up. */
  failedStartsMax: 5,
  /** Ids that `listen --verify` remembers; of more, the older half is forgotten. They take some
   * 200 bytes each: with many times as many V8's heap is full, and the process ends. */
  listenIds: 2_000_000,
  /** Clients whose sequences it follows, and missing ranges of all of them: the same memory. */
  listenClients: 100_000,
  listenRanges: 100_000,
  /** What it finds is told so often, then only counted: a terminal shows no more. */
  listenFindings: 100,
} as const;

assert(LIMITS.frameEvents <= LIMITS.bodyEvents, 'a body takes what a frame takes');
assert(LIMITS.highWater.resume < LIMITS.highWater.stop, 'the low mark is below the high one');
assert(LIMITS.creditFrames > 1, 'credit rises when half of it is used');
assert(LIMITS.restartDelayMs.first < LIMITS.restartDelayMs.last, 'the pause grows');

/**
 * Fixed limits and the relations among them; limits that an operator sets are in settings.ts. Each
 * comment states the consequence of exceeding the limit.
 */
import assert from 'node:assert/strict';

export const KIB = 1024;
export const MIB = 1024 * KIB;

export const LIMITS = {
  /** Events of a WebSocket frame. With the frame's byte limit it bounds the work of a loop turn. */
  frameEvents: 1_000,
  /** Maximum of FOREBAY_MAX_FRAME_BYTES. */
  frameBytes: 256 * KIB,
  /** Events of an HTTP body. */
  bodyEvents: 10_000,
  /** Bytes of an HTTP body, counted as they arrive. */
  bodyBytes: MIB,
  /** Excess bytes of a body that are read and discarded if its response closes the connection. */
  bodySkipBytes: MIB,
  /** Minimum of FOREBAY_MAX_INPUT_BYTES: with less, a few concurrent bodies would evict each
   * other. */
  inputBytesMin: 4 * MIB,
  /** Maximum size of a body that is decoded in one turn. A longer one could block the event loop
   * for 100 ms, so it is decoded in slices of about this many bytes and events, one per turn. */
  oneShotBytes: 16 * KIB,
  sliceBytes: 32 * KIB,
  sliceEvents: 1_000,
  /** Complete bodies of a worker that wait to be decompressed or decoded: each may take twice
   * `bodyBytes` of FOREBAY_MAX_INPUT_BYTES. One sender may hold half of them. `inflating` of them
   * are decompressed concurrently. */
  waitingBodies: 64,
  inflating: 2,
  /** Chunk size of decompression, and so the delay until a decompression bomb is detected. */
  inflateChunkBytes: 64 * KIB,
  /** Maximum window of a zstd body, equal to that of RFC 9659: the decoder allocates it, and
   * Node.js would allow 128 MiB. */
  zstdWindowBytes: 8 * MIB,
  /** Time that a body may lag behind FOREBAY_MIN_BODY_BYTES_PER_SECOND, so that slow senders cannot
   * hold connections; the interval of the check, and the checks after which the idle timeout of
   * uWebSockets.js is prolonged. */
  bodyGraceMs: 10_000,
  bodyCheckMs: 1_000,
  bodyProlongChecks: 5,
  /** Headers of a request. The default of uWebSockets.js, 4 KiB, would reject cookies with a token
   * (431). */
  headersBytes: 16 * KIB,
  /** Cache lifetime of a CORS preflight in browsers: the maximum of Chromium. */
  preflightSeconds: 7_200,
  /** Headers of tracing libraries that one preflight may allow: a page uses a few. */
  tracingHeaders: 32,
  /** Reserve if the open-file limit is low: these files are withheld from WebSockets, `forBrokers`
   * of them for brokers and the process itself, the others for requests and rejected upgrades. */
  reservedFiles: { share: 0.1, least: 64, forBrokers: 0.75 },
  /** Deadline for the headers of a connection's first request, and of the next one after a
   * response: the fixed timeout of uWebSockets.js, which it checks every `timerTickMs`. Otherwise
   * silent or trickling connections would exhaust the files. */
  firstRequestMs: 10_000,
  timerTickMs: 4_000,
  /** Connections of a trusted proxy that end before a request until it is logged; proxies that a
   * worker tracks for this. */
  silentConnections: 3,
  watchedProxies: 1_000,
  /** `Keep-Alive: timeout` of responses, below `firstRequestMs`: a request that a client sends just
   * before it must arrive before the connection closes. Otherwise its result stays unknown. */
  keepAliveSeconds: 6,
  /** A client with more unread bytes is closed as `slow_consumer` if it reads nothing for
   * `unreadMs`, or is still above the limit after `backlogMs`; at once if an ack finds
   * `unreadAckBytes`. Pongs are dropped above `unreadMaxBytes`; the room between the two is for
   * the close frame. */
  unreadBytes: 64 * KIB,
  unreadAckBytes: 192 * KIB,
  unreadMaxBytes: 256 * KIB,
  unreadMs: 5_000,
  backlogMs: 30_000,
  /** Days before expiry from which a TLS certificate causes a warning: its renewal may need an
   * operator. */
  certificateDays: 14,
  /** API keys in their file, and its size: it is read at once, and each worker holds all keys. */
  apiKeys: 10_000,
  keysFileBytes: 4 * MIB,
  /** Maximum rate of a key or a stream in events per second: more would be no limit. */
  keyRate: 100_000_000,
  /** Streams of a gateway: each has its own series in the metrics. */
  streams: 64,
  /** Reload of the streams: wait for new topics before the switch; wait of the other streams of a
   * topic to which one moves; interval of checks whether former events have a result. */
  newTopicWaitMs: 10_000,
  sharedTopicHoldMs: 1_000,
  streamPollMs: 10,
  /** Part of the buffer that stuck topics leave to others, in equal parts for each of `streams`
   * topics: 128 KiB each with the default buffer. */
  guaranteedShare: 1 / 8,
  /** API keys with series of their own in the metrics. */
  meteredKeys: 256,
  /** Stream file: its size, its values including those that aliases repeat, and their depth, since
   * a short text can describe gigabytes; values of a stream's `match` and fields of its key, which
   * each event is compared with; errors reported for a file. */
  streamFile: {
    bytes: 256 * KIB,
    values: 100_000,
    depth: 16,
    matchValues: 1_000,
    keyFields: 8,
    /** One frame of maximum size must fit: FOREBAY_MAX_FRAME_BYTES is up to this share. */
    bufferShareMin: 1 / 64,
    errors: 100,
    /** Time between two records of a batch: the delta is a 32-bit varint. */
    timeSpanMs: 2 ** 29 - 1,
    /** Bounds of event times around their arrival, by default: 5 days, 5 min. */
    timePastMs: 432_000_000,
    timeFutureMs: 300_000,
  },
  /** Distance of event times from the bounds of their topic, which apply when a broker appends. */
  timestampMarginMs: 120_000,
  /** Headers of a record. */
  recordHeaders: {
    /** All of them; those of a sender that do not fit are omitted. */
    bytes: 2 * KIB,
    /** Bytes of an id; a longer one is omitted. */
    idBytes: 256,
    /** Bytes of a value, which is cut. */
    valueBytes: 256,
    /** W3C Trace Context: a longer tracestate is omitted. */
    tracestateBytes: 512,
    /** Characters of an id of a request; another one is generated instead of a longer one. */
    requestIdChars: 128,
  },
  /** Stored records that the response to a body with `?records=1` shows: their number, and the
   * memory of their keys and headers, with `overheadBytes` each, approximately. Later ones are left
   * out. */
  shownRecords: { count: 10, bytes: 64 * KIB, overheadBytes: 512 },
  /** Bytes rejected by decoder or schema that cost a rate-limited sender one token. Few events are
   * longer; otherwise one of 64 KiB, a hundred times as expensive, would cost one token. */
  rejectedBytesPerToken: KIB,
  /** Rate limits by address: buckets of addresses without a WebSocket that a worker keeps, at about
   * 300 bytes each, and the time for which it keeps them once they are full: a body may pause
   * meanwhile. */
  addressBuckets: 50_000,
  addressIdleMs: 10_000,
  /** Interval at which the primary checks key files, stream file and schemas for changes, and a
   * worker the identities of its connections for expiry. */
  filesPollMs: 1_000,
  /** Interval of attempts to load a stream file with an error, unless a known file changes. */
  failedFilesPollMs: 10_000,
  identityCheckMs: 1_000,
  /** Characters of a JWT's `sub` in the log. */
  subjectLength: 64,
  /** JWKS at FOREBAY_JWT_JWKS_URL: fetched every `refreshMs`, and for an unknown key at most every
   * `coolDownMs`; a fetch times out after `timeoutMs` and is retried after `retryMs`. Keys that
   * could not be refreshed are trusted up to `ageMsMax`. An issuer has a few keys: anything longer
   * (decompressed) or with more keys, in a file too, is rejected. */
  jwks: {
    refreshMs: 300_000,
    coolDownMs: 10_000,
    timeoutMs: 5_000,
    retryMs: 2_000,
    ageMsMax: 86_400_000,
    bytes: 256 * KIB,
    keys: 100,
  },
  /** Credit of a connection: frames and bytes that it may have in flight. */
  creditFrames: 64,
  creditBytes: 256 * KIB,
  /** Credit of all connections of a worker together, as a multiple of its buffer; one frame of
   * maximum size per connection is always granted. */
  creditOvercommit: 2,
  /** A connection gets no new credit while more than `bytes` of its nacks are recent: they expire
   * by `bytesPerSecond`, and by `bytesPerEvent` for each accepted event, about a third of a nack
   * that names one event. A frame of a few KiB can cause 10 KiB of nack: such senders would take
   * the time of all others. Delayed connections are checked every `checkMs`. */
  nackDebt: { bytes: 64 * KIB, bytesPerSecond: 16 * KIB, bytesPerEvent: 64, checkMs: 100 },
  /** Share of the buffer at which credit stops, bodies pause and readiness fails (high-water mark),
   * and below which all of these resume. */
  highWater: { stop: 0.8, resume: 0.6 },
  /** Share of the buffer reserved for the rest of frames that have begun: a new frame that finds
   * only the reserve is rejected as a whole, at once. A partly accepted frame would be rejected
   * only when its accepted part is stored. */
  frameRoom: 1 / 16,
  /** Maximum time for which the reading of an HTTP body waits for room in the buffer. */
  bodyPauseMs: 1_000,
  /** Time that a worker spends on input per turn of the event loop, over all connections; later
   * input is queued. Once queueing has taken the turn, in CPU time, to `overlongMs`, each
   * connection may send `creditFrames` and `creditBytes` more in it. The clock is read every
   * `checkBytes`: for that many bytes the most expensive input takes about a millisecond. */
  turn: { workMs: 15, overlongMs: 35, checkBytes: 16 * KIB },
  /** Chunks of one body that may arrive in a turn without time left, plus one per `bytes`.
   * uWebSockets.js reports each chunk: one of one byte takes the time of hundreds. */
  spentChunks: { count: 256, bytes: 512 },
  /** Input of one WebSocket that may be queued, and its pings and pongs in a turn without time
   * left. uWebSockets.js cannot pause a WebSocket and keeps reading: beyond this, one sender would
   * take the memory and time of all others. */
  turnBytes: 1.5 * MIB,
  turnMessages: 20_000,
  /** Overhead of a queued frame on top of its bytes, approximately. */
  frameOverheadBytes: 256,
  /** Overhead of each chunk of a body until its sender is authenticated, approximately. A chunk may
   * have one byte. */
  chunkOverheadBytes: 256,
  /** Cost of a request's headers in turn time, as bytes of events. */
  requestHeadBytes: 2 * KIB,
  /** WebSocket handshakes accepted per turn. Each accepted one may send a partial message of twice
   * the maximum frame at once, which uWebSockets.js keeps without reporting it. */
  upgradesPerTurn: 64,
  /** Bodies that wait for time: those resumed per turn, and those rejected per turn. */
  resumedBodies: 8,
  /** Maximum age of a batch's oldest event when another event joins. The deadline of the oldest
   * applies to all: that of the others moves forward by at most this. */
  batchOpenMsMax: 1_000,
  /** Maximum copies of a request: TLS concatenates its buffers and encrypts them. */
  requestCopies: 2,
  /** Overhead of a buffered event on top of its bytes, approximately. */
  eventOverheadBytes: 40,
  /** Memory of a frame with rejected events until its sender is notified: this much, plus
   * `codeBytes` per code, the message of each code, and a byte per event. */
  refusals: { frameBytes: 600, codeBytes: 100 },
  /** Partitions and replication factor of a topic that Forebay creates. */
  topicPartitions: 10_000,
  topicReplication: 32,
  /** `max.message.bytes` of a topic whose configuration is not readable: the smallest default of
   * any Kafka version. */
  maxMessageBytesDefault: 1_000_012,
  /** Maximum throttle time of a broker that is obeyed, since events wait meanwhile: quotas are
   * averages over 11 s by default (`quota.window.num`, `quota.window.size.seconds`). */
  throttleMs: 30_000,
  /** Re-authentication happens `marginMs` before a session expires: brokers do not read later
   * requests. For short sessions it is `share` of the lifetime, since brokers reject two logins
   * within a second; kafkajs's own clients do not know the lifetime. */
  session: { marginMs: 10_000, share: 0.2, ofKafkajsMs: 1_000 },
  /** Maximum size of a broker's response; a longer one is not from a broker. */
  responseBytes: 16 * MIB,
  /** Grace period for input that a client sent before it received `goaway`; later input is
   * rejected. */
  goawayGraceMs: 1_000,
  /** Time for which an exiting worker accepts upgrades and requests of connections just
   * accepted. */
  lastRequestsMs: 50,
  /** Interval at which a worker checks connections for their maximum age, and the minimum number of
   * checks within that age. */
  ageCheckMs: 1_000,
  ageChecks: 20,
  /** Jitter of a connection's maximum age, as a share of it. */
  ageJitter: 0.1,
  /** Checks of the primary, within FOREBAY_WORKER_TIMEOUT_MS, for a report of each worker; a
   * starting worker may be silent for `startTimeouts` times that. */
  workerChecks: 10,
  startTimeouts: 3,
  /** Time for which a replacement waits for Kafka before it takes over without. */
  replacementTopicMs: 5_000,
  /** MiB of a semi-space of a worker's young generation. V8 has three, by default of 16 MiB, and
   * fills them before it collects; they count on top of the buffer. */
  semiSpaceMib: 4,
  /** Interval at which a worker reads its resident memory, the minimum interval after turns with
   * much input, and the share of FOREBAY_MAX_RSS_BYTES below which it accepts connections and
   * bodies again; at the limit itself it would oscillate. Above the limit, garbage is collected at
   * most every `collectMs`, since that takes tens of ms. The process itself may later grow by
   * `ownGrowthBytes` on top of heap and buffers. Input of less than `evictedBytesMin` is not
   * evicted: its sender is not the cause. */
  memoryLimit: {
    checkMs: 50,
    turnCheckMs: 5,
    resume: 0.95,
    collectMs: 1_000,
    ownGrowthBytes: 16 * MIB,
    evictedBytesMin: 16 * KIB,
  },
  /** WebSockets that completed no message for `silentMs` may hold part of one: above the memory
   * limit they are evicted, up to `endedPerCheck` per check, since each takes about 20 µs. */
  silentMs: 1_000,
  endedPerCheck: 1_000,
  /** Timeout of the command `health`: later, a container runtime would kill the check before it
   * prints the reason. */
  healthMs: 3_000,
  /** Detection of a Kafka outage: nothing was stored although events waited for `totalMs`, or one
   * partition was stuck for `partialMs`; both exceed most leader elections. Two consecutive
   * reports, `confirmMs` apart, must agree: after a stall of the loop the first one looks bad. It
   * ends after `steadyMs` without failure; otherwise a slow Kafka would begin and end one
   * repeatedly. It is logged every `everyMs`. A worker that does not report delays its end by up
   * to `missingMs`. */
  outage: {
    totalMs: 4_000,
    partialMs: 30_000,
    confirmMs: 1_500,
    steadyMs: 5_000,
    everyMs: 60_000,
    missingMs: 30_000,
  },
  /** Time after which a partition without a leader is reported. */
  leaderlessMs: 30_000,
  /** Evidence required to accept fewer partitions of a topic than before, without another sign that
   * it was recreated: at least `answers` consecutive responses for `steadyMs`, or for `aloneMs`
   * while other brokers are known and none of them is reachable. */
  fewerPartitions: { answers: 3, steadyMs: 5_000, aloneMs: 30_000 },
  /** A Kafka fault is logged again after `repeatMs`, or if it recurs after `quietMs` without it. */
  faults: { repeatMs: 600_000, quietMs: 60_000 },
  /** Interval at which a worker sends its metrics to the primary. */
  snapshotIntervalMs: 1_000,
  /** Live view: points kept, and their interval; quantiles cover the last `samples`. Up to
   * `viewers` may watch, each with up to `unreadBytes` unread: the primary buffers them. */
  liveView: { points: 600, everyMs: 1_000, samples: 5, viewers: 16, senders: 50, unreadBytes: MIB },
  /** One in this many WebSocket frames has its decode time measured: measuring each one would cost
   * 1% of an event. A prime, so that no pattern of senders evades it. */
  decodeSample: 7,
  /** Interval at which a worker measures the lag of its event loop: `busyMs` only while the loop is
   * busy for more than `busyShare`, since waking an idle loop costs more than everything else that
   * it does. */
  loopCheck: { busyMs: 20, idleMs: 100, busyShare: 0.02 },
  /** Delay before a dead worker is replaced: doubles from `first` to `last`. */
  restartDelayMs: { first: 100, last: 10_000 },
  /** Consecutive workers that die before they listen until the instance gives up. */
  failedStartsMax: 5,
  /** Ids that `listen --verify` remembers; the older half is evicted. They take about 200 bytes
   * each: many times more would exhaust V8's heap and end the process. */
  listenIds: 2_000_000,
  /** Clients whose sequences it tracks, and missing ranges of all of them: same reason. */
  listenClients: 100_000,
  listenRanges: 100_000,
  /** Findings that it prints; further ones are only counted. */
  listenFindings: 100,
} as const;

assert(LIMITS.frameEvents <= LIMITS.bodyEvents, 'a body may hold the events of a frame');
assert(
  2 * 2 * LIMITS.bodyBytes <= LIMITS.inputBytesMin,
  'there is room for two bodies, each in two buffers or compressed and decompressed',
);
assert(LIMITS.inflateChunkBytes <= LIMITS.bodyBytes, 'a bomb is detected near the limit of a body');
assert(
  LIMITS.bodyBytes <= LIMITS.zstdWindowBytes,
  'a body in a single zstd segment fits its window',
);
assert(
  1000 * LIMITS.keepAliveSeconds <= LIMITS.firstRequestMs - LIMITS.timerTickMs,
  'clients close idle connections before the gateway',
);
assert(
  LIMITS.bodyProlongChecks * LIMITS.bodyCheckMs < LIMITS.firstRequestMs - LIMITS.timerTickMs,
  'a body is prolonged before uWebSockets.js times out',
);
assert(LIMITS.highWater.resume < LIMITS.highWater.stop, 'resuming needs a lower level');
assert(LIMITS.jwks.refreshMs < LIMITS.jwks.ageMsMax, 'keys are refreshed before they expire');
assert(LIMITS.creditFrames > 1, 'credit is granted when half of it is used');
assert(LIMITS.outage.confirmMs > LIMITS.snapshotIntervalMs, 'two reports confirm an outage');
assert(LIMITS.outage.steadyMs > LIMITS.outage.totalMs, 'a slow Kafka is one outage');
assert(
  LIMITS.loopCheck.idleMs < LIMITS.snapshotIntervalMs / 5,
  'each report covers several checks',
);
assert(LIMITS.restartDelayMs.first < LIMITS.restartDelayMs.last, 'the delay increases');

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
  /** Bytes beyond it that are read and forgotten of a body whose answer ends the connection. */
  bodySkipBytes: MIB,
  /** Least FOREBAY_MAX_INPUT_BYTES: with less, few bodies at a time would evict each other. */
  inputBytesMin: 4 * MIB,
  /** A body of so many bytes is taken apart at once. A longer one could hold the loop for a tenth
   * of a second: it is taken apart in slices of about so many bytes and events, one in a turn. */
  atOnceBytes: 16 * KIB,
  sliceBytes: 32 * KIB,
  sliceEvents: 1_000,
  /** Complete bodies of a worker that wait to be decompressed or decoded: each may take twice
   * `bodyBytes` of FOREBAY_MAX_INPUT_BYTES. One sender may hold half of the places. `inflating` of them are
   * decompressed at the same time. */
  waitingBodies: 64,
  inflating: 2,
  /** Bytes of decompressed data that are made at a time: a bomb is noticed that late. */
  inflateChunkBytes: 64 * KIB,
  /** Largest window of a zstd body, and at the same time that of RFC 9659: the decoder allocates as
   * much, and Node.js would allow 128 MiB. */
  zstdWindowBytes: 8 * MIB,
  /** How far a body may fall behind FOREBAY_MIN_BODY_BYTES_PER_SECOND: beyond it, senders that
   * dribble would hold connections. How often that is looked at, and the looks after which
   * uWebSockets.js is told that the body is not idle. */
  bodyGraceMs: 10_000,
  bodyLookMs: 1_000,
  bodyProlongLooks: 5,
  /** Headers of one request. uWebSockets.js takes 4 KiB by default: cookies and a token would fail
   * with 431. */
  headersBytes: 16 * KIB,
  /** How long a browser may remember what CORS allows: the longest that Chromium honours. */
  preflightSeconds: 7_200,
  /** Headers of tracing libraries that one preflight may allow: a page uses a few. */
  tracingHeaders: 32,
  /** Where few files may be open: some are kept from WebSockets, most of these for brokers and what
   * the process itself needs, the others for requests and for handshakes that are refused. */
  keptFiles: { share: 0.1, least: 64, forBrokers: 0.75 },
  /** Until the headers of a connection's first request, or the next one's after an answer, have to
   * be there: uWebSockets.js' own bound, which it looks at once in so many ms. Else connections that
   * say nothing, or a byte now and then, would take all the files. */
  firstRequestMs: 10_000,
  timerTickMs: 4_000,
  /** Connections of a trusted proxy that end before a request until it is logged; proxies that a
   * worker remembers for this. */
  unheardConnections: 3,
  watchedProxies: 1_000,
  /** `Keep-Alive: timeout` of responses, below `firstRequestMs`: a request that the client sends at
   * its end has to arrive before the connection ends. Otherwise its result stays unknown. */
  keepAliveSeconds: 6,
  /** A client with more unread bytes than this is closed as `slow_consumer` if it reads nothing for
   * unreadMs, or has not read enough after backlogMs; at once if an ack finds unreadAckBytes. Pongs
   * are dropped above unreadMaxBytes; between the two the close frame has its room. */
  unreadBytes: 64 * KIB,
  unreadAckBytes: 192 * KIB,
  unreadMaxBytes: 256 * KIB,
  unreadMs: 5_000,
  backlogMs: 30_000,
  /** Days before its end from which a TLS certificate is warned of: people have to renew it. */
  certificateDays: 14,
  /** API keys in their file, and its length: it is read in one go, each worker keeps all keys. */
  apiKeys: 10_000,
  keysFileBytes: 4 * MIB,
  /** Events per second of a key at the most: more would be no bound. */
  keyRate: 100_000_000,
  /** Bytes that decoder or schema have rejected for which a sender with a rate pays a token. Few
   * events are longer; without it one of 64 KiB, with a hundred times their cost, would pay one. */
  rejectedBytesPerToken: KIB,
  /** Rates by address: buckets of addresses without a WebSocket that a worker keeps, at some 300
   * bytes each, and for how long after they are full again: a body may wait in between. */
  addressBuckets: 50_000,
  addressIdleMs: 10_000,
  /** How often the primary looks whether the files of keys have changed, and a worker whether the
   * identities of its connections are over. */
  keysLookMs: 1_000,
  identityLookMs: 1_000,
  /** How many letters of a JWT's `sub` go to the log. */
  subjectLength: 64,
  /** The keys at FOREBAY_JWT_JWKS_URL: asked for again so often, and for an unknown key at most so
   * often; an answer takes so long at the most, and after a failure nobody asks for so long. Keys
   * that could not be asked for again are trusted until they are so old. An issuer has a few keys:
   * what is longer, decompressed, or has more of them, in the file too, is no key set. */
  jwks: {
    refreshMs: 300_000,
    coolDownMs: 10_000,
    timeoutMs: 5_000,
    retryMs: 2_000,
    ageMsMax: 86_400_000,
    bytes: 256 * KIB,
    keys: 100,
  },
  /** How far a connection may be ahead of what is settled: frames, and bytes at the most. */
  creditFrames: 64,
  creditBytes: 256 * KIB,
  /** All connections of a worker together may be ahead by so many times what its buffer holds;
   * one greatest frame per connection is always granted. */
  creditOvercommit: 2,
  /** Credit of a connection stays while more than `bytes` of its nacks are recent: they wear off by
   * `bytesPerSecond`, and by `bytesPerEvent` for each accepted event, about a third of a nack that
   * names one event. A frame of a few KiB can cause 10 KiB of nack: senders of such would take the
   * time of all others. The delayed connections are looked at once in `lookMs`. */
  nackDebt: { bytes: 64 * KIB, bytesPerSecond: 16 * KIB, bytesPerEvent: 64, lookMs: 100 },
  /** Share of the buffer at which credit stops to rise, bodies are read no further and no more
   * traffic is wanted, and below which all that is over. */
  highWater: { stop: 0.8, resume: 0.6 },
  /** Share of the buffer that stays free for the rest of frames that have begun: a frame for which
   * only this is left is refused as a whole, and hears so at once. One of which a part was taken
   * would hear it when that part is stored. */
  frameRoom: 1 / 16,
  /** How long the reading of an HTTP body waits at the most for room in the buffer. */
  bodyPauseMs: 1_000,
  /** How long a worker works on input in one turn of the event loop, over all connections: what
   * comes then is kept for later turns. When keeping it has taken the turn, in CPU time, to
   * `overlongMs`, each connection may send `creditFrames` and `creditBytes` more in it. The clock is
   * looked at after `lookBytes`: the dearest input takes about a millisecond for so many. */
  turn: { workMs: 15, overlongMs: 35, lookBytes: 16 * KIB },
  /** Chunks of one body that may arrive in a turn without time left, and one more for each
   * `bytes`. uWebSockets.js reports each chunk: one of one byte takes the time of hundreds. */
  spentChunks: { count: 256, bytes: 512 },
  /** What of one WebSocket may wait for that, and how many pings and pongs of it may come in a turn
   * that has no time left. uWebSockets.js cannot pause a WebSocket and reads on while more comes:
   * beyond it, one sender takes the memory and the time of all the others. */
  turnBytes: 1.5 * MIB,
  turnMessages: 20_000,
  /** What is kept of a frame that waits, beside its bytes, about. */
  frameOverheadBytes: 256,
  /** Kept for each chunk of a body until its sender is authenticated, besides its bytes, about.
   * A chunk may have one byte. */
  chunkOverheadBytes: 256,
  /** What a request's head takes of the time of a turn, as bytes of events. */
  requestHeadBytes: 2 * KIB,
  /** WebSocket handshakes accepted per turn. Each accepted one may send a partial message of twice
   * the maximum frame at once, which uWebSockets.js keeps without reporting it. */
  upgradesPerTurn: 64,
  /** Bodies that are read on in each turn, and rejected in each, of those that wait for time. */
  resumedBodies: 8,
  /** The oldest event of a batch may be this old when another joins it. Its deadline is that of
   * all: the others' comes sooner than their own by so much at the most. */
  batchOpenMsMax: 1_000,
  /** Copies of a request at the most: TLS gathers its pieces and enciphers them. */
  requestCopies: 2,
  /** What the bookkeeping of one buffered event takes beside its bytes, about. */
  eventOverheadBytes: 40,
  /** What is kept of a frame with refused events until its sender is told: so much, and for each
   * code; besides, the message of each code, and a byte per event. */
  refusals: { frameBytes: 600, codeBytes: 100 },
  /** `max.message.bytes` of a topic whose configuration may not be read: the least default that
   * Kafka versions ever had. */
  maxMessageBytesDefault: 1_000_012,
  /** The longest throttle of a broker that is obeyed, since events wait meanwhile: quotas are
   * averages over 11 s by default (`quota.window.num`, `quota.window.size.seconds`). */
  throttleMs: 30_000,
  /** A login is renewed so long before its session ends: what is sent later than that is not read
   * any more. Of short sessions it is this share, since brokers refuse two logins within a second;
   * kafkajs's own clients do not know how long a session is. */
  session: { marginMs: 10_000, share: 0.2, ofKafkajsMs: 1_000 },
  /** A response longer than this is not one of a broker's. */
  responseBytes: 16 * MIB,
  /** How long what a client sent before it heard `goaway` may be on its way: then it is refused. */
  goawayGraceMs: 1_000,
  /** A worker that ends takes handshakes and requests for so long, of connections just accepted. */
  lastRequestsMs: 50,
  /** How often a worker looks for connections that are old enough: once in so long, and at least so
   * many times within the greatest age. */
  ageLookMs: 1_000,
  ageLooks: 20,
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
  /** How often a worker looks at its resident memory, and the share of FOREBAY_MAX_RSS_BYTES below
   * which it takes connections and bodies again: not at the mark itself, where it would waver.
   * While it is above the mark, garbage is collected at most once in `collectMs`, since that takes
   * tens of ms. The process itself may take `ownGrowthBytes` beside heap and buffers later on. */
  memoryMark: {
    lookMs: 50,
    turnLookMs: 5,
    resume: 0.95,
    collectMs: 1_000,
    ownGrowthBytes: 16 * MIB,
    evictedBytesMin: 16 * KIB,
  },
  /** WebSockets that completed no message for `silentMs` may hold a part of one: above the mark they
   * are ended, up to `endedAtOnce` in a look, since each takes some 20 µs. */
  silentMs: 1_000,
  endedAtOnce: 1_000,
  /** How long the command `health` waits: beyond it, a container's check would be ended from outside
   * and could not say why. */
  healthMs: 3_000,
  /** When Kafka counts as out: nothing was stored and something waited for `totalMs`, or one
   * partition was stuck for `partialMs`; longer than most elections of a leader. Two reports in a
   * row, `confirmMs` apart, have to say so: after a stall of the loop the first one looks bad. It is
   * over when all went well for `steadyMs`, or a Kafka that answers slowly would begin and end one
   * again and again. While it lasts there is a line every `everyMs`. A worker that does not report
   * delays its end by up to `missingMs`. */
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
  /** When fewer partitions of a topic than before are believed without another sign that it was
   * created again: at least `answers` in a row say so for `steadyMs`, or for `aloneMs` while other
   * brokers are known and none of them can be asked. */
  fewerPartitions: { answers: 3, steadyMs: 5_000, aloneMs: 30_000 },
  /** The same fault of Kafka is logged again after `repeatMs`, or when it was gone for `quietMs`. */
  faults: { repeatMs: 600_000, quietMs: 60_000 },
  /** How often a worker sends its numbers to the primary. */
  snapshotIntervalMs: 1_000,
  /** The live view: points that it keeps, and how often it takes one; times are of its last few
   * looks. So many may watch, and each may leave so much unread: the primary keeps it for them. */
  liveView: { points: 600, everyMs: 1_000, looks: 5, viewers: 16, unreadBytes: MIB },
  /** One WebSocket frame in so many has its time to be taken apart counted: for each it would cost
   * a hundredth of what an event does. A prime, so that no pattern of senders hides from it. */
  decodeSample: 7,
  /** How often a worker looks how late its event loop is: often only while the loop is busy for a
   * greater share of the time, since to wake an idle one costs more than all else that it does. */
  loopLook: { busyMs: 20, idleMs: 100, busyShare: 0.02 },
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
assert(
  2 * 2 * LIMITS.bodyBytes <= LIMITS.inputBytesMin,
  'there is room for a body in two buffers, or with what it decompresses to, and for another one',
);
assert(LIMITS.inflateChunkBytes <= LIMITS.bodyBytes, 'a bomb is stopped near the bound of a body');
assert(
  LIMITS.bodyBytes <= LIMITS.zstdWindowBytes,
  'a body in a single zstd segment fits its window',
);
assert(
  1000 * LIMITS.keepAliveSeconds <= LIMITS.firstRequestMs - LIMITS.timerTickMs,
  'a client ends an idle connection before the gateway does',
);
assert(
  LIMITS.bodyProlongLooks * LIMITS.bodyLookMs < LIMITS.firstRequestMs - LIMITS.timerTickMs,
  'a body is prolonged before uWebSockets.js cuts it',
);
assert(LIMITS.highWater.resume < LIMITS.highWater.stop, 'the low mark is below the high one');
assert(LIMITS.jwks.refreshMs < LIMITS.jwks.ageMsMax, 'keys are asked for before they are too old');
assert(LIMITS.creditFrames > 1, 'credit rises when half of it is used');
assert(LIMITS.outage.confirmMs > LIMITS.snapshotIntervalMs, 'two reports confirm an outage');
assert(LIMITS.outage.steadyMs > LIMITS.outage.totalMs, 'a slow Kafka is one outage');
assert(LIMITS.loopLook.idleMs < LIMITS.snapshotIntervalMs / 5, 'each report has looks at the loop');
assert(LIMITS.restartDelayMs.first < LIMITS.restartDelayMs.last, 'the pause grows');

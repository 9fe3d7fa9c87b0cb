/** The settings that bound what clients may do: a part of SETTINGS in config.ts. */
import { LIMITS, MIB } from './limits.ts';
import { integer, networks } from './setting-kinds.ts';

export const LIMIT_SETTINGS = {
  maxEventDepth: integer('FOREBAY_MAX_EVENT_DEPTH', {
    default: 64,
    min: 8,
    max: 1_000,
    meaning: 'maximum nesting depth of an event; the event itself counts as 1',
  }),
  maxConnectionAgeMs: integer('FOREBAY_MAX_CONNECTION_AGE_MS', {
    default: 0,
    min: 1_000,
    max: 604_800_000,
    also: [0],
    unit: 'ms',
    meaning: 'age ±10% at which a WebSocket is asked to reconnect; 0 = no limit',
  }),
  idleTimeoutMs: integer('FOREBAY_IDLE_TIMEOUT_MS', {
    default: 120_000,
    min: 8_000,
    max: 960_000,
    unit: 'ms',
    meaning:
      'time without input, answered pings included, after which a WebSocket is closed; in ' +
      'whole seconds, up to 4 s late',
  }),
  maxConnections: integer('FOREBAY_MAX_CONNECTIONS', {
    default: 20_000,
    min: 1,
    max: 1_000_000,
    meaning: 'maximum WebSockets per worker; lower if the open-file limit is lower',
  }),
  maxConnectionsPerAddress: integer('FOREBAY_MAX_CONNECTIONS_PER_ADDRESS', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning:
      'maximum WebSockets and unanswered POSTs per worker from one IPv4 address or IPv6 ' +
      '/64, and as many connections without a request; 0 = no limit',
  }),
  trustedProxies: networks('FOREBAY_TRUSTED_PROXIES', {
    meaning: 'proxies whose X-Forwarded-For and PROXY headers give the client’s address',
  }),
  connectionEventsPerSecond: integer('FOREBAY_CONNECTION_EVENTS_PER_SECOND', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning: 'events per second of one WebSocket, above it `rate_limited`; 0 = no limit',
  }),
  connectionEventsBurst: integer('FOREBAY_CONNECTION_EVENTS_BURST', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning: 'events that one WebSocket may send in a burst; 0 = the rate of one second',
  }),
  addressEventsPerSecond: integer('FOREBAY_ADDRESS_EVENTS_PER_SECOND', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning:
      'events per second of one IPv4 address or IPv6 /64, over WebSocket and HTTP, in each ' +
      'worker; above it `rate_limited`; 0 = no limit',
  }),
  addressEventsBurst: integer('FOREBAY_ADDRESS_EVENTS_BURST', {
    default: 0,
    min: 0,
    max: 1_000_000,
    meaning: 'events that one address may send in a burst; 0 = the rate of one second',
  }),
  minBodyBytesPerSecond: integer('FOREBAY_MIN_BODY_BYTES_PER_SECOND', {
    default: 1_024,
    min: 64,
    max: 16 * MIB,
    unit: 'bytes',
    meaning:
      'minimum rate of an HTTP body, below which it is rejected with 408 after a grace ' +
      'period of 10 s; a body of 1 MiB may take 1 MiB divided by this',
  }),
  maxInputBytes: integer('FOREBAY_MAX_INPUT_BYTES', {
    default: 64 * MIB,
    min: LIMITS.inputBytesMin,
    max: 4096 * MIB,
    unit: 'bytes',
    meaning:
      'memory per worker for input that is incomplete, or waits to be decompressed or ' +
      'decoded; above it the largest and oldest are rejected',
  }),
  maxRssBytes: integer('FOREBAY_MAX_RSS_BYTES', {
    default: 0,
    min: 64 * MIB,
    max: 256 * 1024 * MIB,
    also: [0],
    unit: 'bytes',
    meaning:
      'resident memory of a worker above which it rejects new connections and bodies; 0 = ' + 'off',
  }),
} as const;

/**
 * Every series, once. One invariant rules it: labels take their values from fixed sets only, so
 * that no client can make a series. The workers' memory layout, the primary's registry and
 * docs/metrics.md come from here.
 */
import { eventCodes, requestCodes, retryCodes } from '../common/errors.ts';
import type { Series } from './series.ts';

const transport = { name: 'transport', values: ['ws', 'http'] } as const;
const seconds = [
  0.001, 0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
] as const;
/** To take a frame apart takes microseconds. */
const stageSeconds = [0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, ...seconds] as const;

/** Classes of failed attempts to store a batch, by what the producer does next. */
export const PRODUCE_ERROR_CLASSES = [
  'connection',
  'request_timeout',
  'unknown',
  'not_appended',
  'timestamp',
  'poison',
  'sequence',
  'duplicate_sequence',
  'refused_by_policy',
  'unexpected',
  'missing_partition',
] as const;
export type ProduceErrorClass = (typeof PRODUCE_ERROR_CLASSES)[number];

export const LANE_STATES = ['empty', 'filling', 'in_flight', 'retrying', 'unknown'] as const;
export type LaneStateName = (typeof LANE_STATES)[number];

export const CLOSE_REASONS = [
  'normal',
  'lost',
  'idle',
  'credit_exceeded',
  'slow_consumer',
  'flooding',
  'memory_short',
  'unauthorized',
  'restart',
  'age',
] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Where an event spends its time, in this order. */
export const STAGES = ['decode', 'lane', 'produce', 'ack'] as const;

export const WORKER_STATES = ['starting', 'ready', 'draining', 'dead'] as const;
export const WORKER_CAUSES = ['crash', 'hang'] as const;

export const CATALOGUE = [
  {
    name: 'forebay_events_received_total',
    type: 'counter',
    unit: 'events',
    help: 'Events taken from clients, good or bad.',
    from: 'sum',
    label: transport,
  },
  {
    name: 'forebay_received_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of the frames and bodies that events came in.',
    from: 'sum',
    label: transport,
  },
  {
    name: 'forebay_events_stored_total',
    type: 'counter',
    unit: 'events',
    help: 'Events that Kafka has confirmed with acks=all before their sender was told otherwise.',
    from: 'sum',
  },
  {
    name: 'forebay_events_without_key_total',
    type: 'counter',
    unit: 'events',
    help: 'Events taken without a key: FOREBAY_KEY_FIELD is missing, null, an object or an array.',
    from: 'sum',
  },
  {
    name: 'forebay_events_stored_late_total',
    type: 'counter',
    unit: 'events',
    help: 'Events stored after their sender was told timeout; counted as refused or dropped too.',
    from: 'sum',
  },
  {
    name: 'forebay_events_refused_total',
    type: 'counter',
    unit: 'events',
    help: 'Events refused to their sender, and bad events of plain clients.',
    from: 'sum',
    label: { name: 'reason', values: eventCodes },
  },
  {
    name: 'forebay_events_dropped_total',
    type: 'counter',
    unit: 'events',
    help: 'Good events of plain clients that could not be kept.',
    from: 'sum',
    label: { name: 'reason', values: retryCodes },
  },
  {
    name: 'forebay_events_lost_total',
    type: 'counter',
    unit: 'events',
    help: 'Events in flight in a worker that died, as of its last snapshot; Kafka may have them.',
    from: 'primary',
    label: { name: 'cause', values: WORKER_CAUSES },
  },
  {
    name: 'forebay_events_in_flight',
    type: 'gauge',
    unit: 'events',
    help: 'Events taken and not settled yet, counted by walking the lanes.',
    from: 'worker',
  },
  {
    name: 'forebay_events_unaccounted',
    type: 'gauge',
    unit: 'events',
    help: 'received - stored - refused - dropped - lost - in flight. Anything but 0 is a defect.',
    from: 'primary',
  },
  {
    name: 'forebay_buffer_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes of the buffer in use: lanes, batches in flight, copies of requests, refusals.',
    from: 'worker',
  },
  {
    name: 'forebay_buffer_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Bytes that the buffer may take.',
    from: 'worker',
  },
  {
    name: 'forebay_input_bytes',
    type: 'gauge',
    unit: 'bytes',
    help:
      'Memory of bodies that are not complete, or wait to be decompressed or decoded. Parts of ' +
      'WebSocket messages are not in it.',
    from: 'worker',
  },
  {
    name: 'forebay_input_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Memory that these may take: FOREBAY_MAX_INPUT_BYTES.',
    from: 'worker',
  },
  {
    name: 'forebay_memory_short',
    type: 'gauge',
    help:
      '1 while resident memory is above FOREBAY_MAX_RSS_BYTES although holders of unfinished input ' +
      'were ended: no new connections and bodies are taken.',
    from: 'worker',
  },
  {
    name: 'forebay_buffer_oldest_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Age of the oldest event that is not settled.',
    from: 'worker',
    greatest: true,
  },
  {
    name: 'forebay_connections',
    type: 'gauge',
    unit: 'connections',
    help: 'Open connections: WebSockets (ws), and all others (http).',
    from: 'worker',
    label: transport,
  },
  {
    name: 'forebay_connections_opened_total',
    type: 'counter',
    unit: 'connections',
    help: 'Connections accepted (http: each begins so), and those that became WebSockets (ws).',
    from: 'sum',
    label: transport,
  },
  {
    name: 'forebay_connections_closed_total',
    type: 'counter',
    unit: 'connections',
    help: 'WebSocket connections that ended.',
    from: 'sum',
    label: { name: 'reason', values: CLOSE_REASONS },
  },
  {
    name: 'forebay_handshakes_refused_total',
    type: 'counter',
    unit: 'handshakes',
    help:
      'WebSocket handshakes refused; bad_request: also requests to /ws that ask for none; ' +
      'too_many_connections: also connections that were closed before they asked; ' +
      'request_timeout: connections on which nobody asked for anything in time.',
    from: 'sum',
    label: { name: 'reason', values: [...requestCodes, 'draining'] },
  },
  {
    name: 'forebay_requests_refused_total',
    type: 'counter',
    unit: 'requests',
    help:
      'HTTP requests refused as a whole; what was refused of a body is counted by events. ' +
      'buffer_full: memory above FOREBAY_MAX_RSS_BYTES.',
    from: 'sum',
    label: { name: 'reason', values: [...requestCodes, 'too_large', 'buffer_full'] },
  },
  {
    name: 'forebay_tls_certificate_not_after_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Unix time at which the certificate that clients are shown expires; 0 = no TLS.',
    from: 'worker',
    greatest: true,
  },
  {
    name: 'forebay_ack_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from an event’s arrival until it was settled.',
    from: 'sum',
    buckets: seconds,
  },
  {
    name: 'forebay_produce_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from a produce request to its answer.',
    from: 'sum',
    buckets: seconds,
  },
  {
    name: 'forebay_stage_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time spent in each stage of the way from arrival to acknowledgement.',
    from: 'sum',
    label: { name: 'stage', values: STAGES },
    buckets: stageSeconds,
  },
  {
    name: 'forebay_batch_events',
    type: 'histogram',
    unit: 'events',
    help: 'Events per stored batch.',
    from: 'sum',
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000],
  },
  {
    name: 'forebay_batch_bytes',
    type: 'histogram',
    unit: 'bytes',
    help: 'Bytes per stored batch as it was sent: after compression.',
    from: 'sum',
    buckets: [256, 1024, 4096, 16384, 65536, 131072, 262144, 1048576],
  },
  {
    name: 'forebay_batch_uncompressed_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of stored batches before compression; by forebay_batch_bytes_sum: the ratio.',
    from: 'sum',
  },
  {
    name: 'forebay_produce_errors_total',
    type: 'counter',
    unit: 'errors',
    help: 'Attempts to store a batch that failed.',
    from: 'sum',
    label: { name: 'class', values: PRODUCE_ERROR_CLASSES },
  },
  {
    name: 'forebay_producer_resets_total',
    type: 'counter',
    unit: 'resets',
    help: 'Lanes that began a new epoch or producer id after a sequence error.',
    from: 'sum',
    label: { name: 'class', values: ['epoch', 'producer_id'] },
  },
  {
    name: 'forebay_lanes',
    type: 'gauge',
    unit: 'lanes',
    help: 'Lanes (topic-partitions of a worker).',
    from: 'sum',
    label: { name: 'state', values: LANE_STATES },
  },
  {
    name: 'forebay_workers',
    type: 'gauge',
    unit: 'workers',
    help: 'Worker processes of the instance.',
    from: 'primary',
    label: { name: 'state', values: WORKER_STATES },
  },
  {
    name: 'forebay_worker_restarts_total',
    type: 'counter',
    unit: 'restarts',
    help: 'Workers started again after their death.',
    from: 'primary',
    label: { name: 'cause', values: WORKER_CAUSES },
  },
  {
    name: 'forebay_worker_snapshot_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Age of a worker’s last numbers.',
    from: 'primary',
    openLabels: ['worker'],
  },
  {
    name: 'forebay_event_loop_lag_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'How late the event loop was at the most, in the second before a worker’s last numbers.',
    from: 'worker',
    greatest: true,
  },
  {
    name: 'forebay_worker_resident_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Resident memory.',
    from: 'worker',
  },
  {
    name: 'forebay_worker_cpu_seconds_total',
    type: 'counter',
    unit: 'seconds',
    help: 'User and system CPU time.',
    from: 'worker',
  },
  {
    name: 'forebay_draining',
    type: 'gauge',
    help: '1 while the instance drains.',
    from: 'primary',
  },
  {
    name: 'forebay_build_info',
    type: 'gauge',
    help: 'Always 1; what runs.',
    from: 'primary',
    openLabels: ['version', 'node'],
  },
] as const satisfies readonly Series[];

export type SeriesName = (typeof CATALOGUE)[number]['name'];

/**
 * All series. Invariant: labels take values from fixed sets only, or from files of the operator, so
 * that no client can create a series. The workers' memory layout, the primary's registry and
 * docs/metrics.md derive from it.
 */
import { eventCodes, requestCodes, retryCodes, streamCodes } from '../common/errors.ts';
import { seconds, stageSeconds } from './buckets.ts';
import { DEAD_LETTER_SERIES } from './dead-letter-series.ts';
import {
  CLOSE_REASONS,
  KEY_RESULTS,
  LANE_STATES,
  PRODUCE_ERROR_CLASSES,
  RELOAD_RESULTS,
  STAGES,
  WORKER_CAUSES,
} from './labels.ts';
import { PROCESS_SERIES } from './process-series.ts';
import { SCHEMA_REGISTRY_SERIES } from './schema-registry-series.ts';
import type { Series } from './series.ts';

const transport = { name: 'transport', values: ['ws', 'http'] } as const;
export const CATALOGUE = [
  {
    name: 'forebay_events_received_total',
    type: 'counter',
    unit: 'events',
    help: 'Events received from clients, valid or not.',
    from: 'sum',
    label: transport,
    slots: 'stream or none',
  },
  {
    name: 'forebay_events_decided_total',
    type: 'counter',
    unit: 'events',
    help: 'Events checked by their bytes alone, or parsed into a value first, which takes longer.',
    from: 'sum',
    label: { name: 'by', values: ['bytes', 'value'] },
    slots: 'stream',
  },
  {
    name: 'forebay_dry_run_events_total',
    type: 'counter',
    unit: 'events',
    help:
      'Events of dry runs (POST /events?dryRun=1) by result; a body rejected as a whole counts as ' +
      'one. Nothing of them is stored, or counted as received.',
    from: 'sum',
    label: { name: 'result', values: ['accepted', 'rejected'] },
  },
  {
    name: 'forebay_received_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of the frames and bodies that contained events.',
    from: 'sum',
    label: transport,
  },
  {
    name: 'forebay_events_stored_total',
    type: 'counter',
    unit: 'events',
    help: 'Events that Kafka confirmed with acks=all before any rejection was sent.',
    from: 'sum',
    slots: 'stream',
  },
  {
    name: 'forebay_events_without_key_total',
    type: 'counter',
    unit: 'events',
    help:
      'Events accepted without a key: their key field is missing, null, an object or an ' +
      'array.',
    from: 'sum',
  },
  {
    name: 'forebay_schema_warnings_total',
    type: 'counter',
    unit: 'warnings',
    help: 'Events accepted although they violate the schema of their stream: its mode is warn.',
    from: 'sum',
    slots: 'stream',
  },
  {
    name: 'forebay_schema_candidate_evaluated_total',
    type: 'counter',
    unit: 'events',
    help: 'Events on which the candidate schema was evaluated: a sample of those of the stream.',
    from: 'sum',
    slots: 'stream',
  },
  {
    name: 'forebay_schema_candidate_failures_total',
    type: 'counter',
    unit: 'failures',
    help: 'Events of this sample that violate the candidate schema, but not the schema in use.',
    from: 'sum',
    slots: 'stream',
  },
  {
    name: 'forebay_events_stored_late_total',
    type: 'counter',
    unit: 'events',
    help: 'Events stored after the client got timeout; also counted as refused or dropped.',
    from: 'sum',
    slots: 'stream',
  },
  {
    name: 'forebay_events_refused_total',
    type: 'counter',
    unit: 'events',
    help: 'Events rejected with a response to the client, and invalid events of plain clients.',
    from: 'sum',
    label: { name: 'reason', values: eventCodes },
    slots: 'stream or none',
  },
  {
    name: 'forebay_events_dropped_total',
    type: 'counter',
    unit: 'events',
    help: 'Events of plain clients that were lost without being invalid.',
    from: 'sum',
    label: { name: 'reason', values: retryCodes },
    slots: 'stream or none',
  },
  {
    name: 'forebay_events_lost_total',
    type: 'counter',
    unit: 'events',
    help: 'Events in flight in a worker that died, as of its last report; Kafka may have them.',
    from: 'primary',
    label: { name: 'cause', values: WORKER_CAUSES },
    slots: 'stream',
  },
  {
    name: 'forebay_events_in_flight',
    type: 'gauge',
    unit: 'events',
    help: 'Events accepted and not settled yet, counted by walking the lanes.',
    from: 'worker',
    slots: 'stream',
  },
  {
    name: 'forebay_events_unaccounted',
    type: 'gauge',
    unit: 'events',
    help: 'received - stored - refused - dropped - lost - in flight. Anything but 0 is a defect.',
    from: 'primary',
    slots: 'stream or none',
  },
  ...DEAD_LETTER_SERIES,
  {
    name: 'forebay_key_events_total',
    type: 'counter',
    unit: 'events',
    help:
      'Events by API key and result. jwt: of all tokens; other: of the keys without a series of ' +
      'their own.',
    from: 'sum',
    slots: 'key',
    label: { name: 'result', values: KEY_RESULTS },
  },
  {
    name: 'forebay_key_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help: 'Bytes of the frames and bodies that contained events, by API key.',
    from: 'sum',
    slots: 'key',
  },
  {
    name: 'forebay_buffer_bytes',
    type: 'gauge',
    unit: 'bytes',
    help:
      'Buffer usage: lanes and batches in flight by stream, a batch of several streams by their ' +
      'events; (none): copies in requests and rejections.',
    from: 'worker',
    slots: 'stream or none',
  },
  {
    name: 'forebay_buffer_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Maximum size of the buffer: FOREBAY_BUFFER_BYTES.',
    from: 'worker',
  },
  {
    name: 'forebay_input_bytes',
    type: 'gauge',
    unit: 'bytes',
    help:
      'Memory of bodies that are incomplete, or wait to be decompressed or decoded. Parts ' +
      'of WebSocket messages are not included.',
    from: 'worker',
  },
  {
    name: 'forebay_input_limit_bytes',
    type: 'gauge',
    unit: 'bytes',
    help: 'Maximum of forebay_input_bytes: FOREBAY_MAX_INPUT_BYTES.',
    from: 'worker',
  },
  {
    name: 'forebay_memory_short',
    type: 'gauge',
    help:
      '1 while resident memory is above FOREBAY_MAX_RSS_BYTES although clients with ' +
      'incomplete input were closed: new connections and bodies are rejected.',
    from: 'worker',
  },
  {
    name: 'forebay_buffer_oldest_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Age of the oldest unsettled event.',
    from: 'worker',
    slots: 'stream',
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
    help:
      'Accepted connections (http: every connection starts as one), and upgrades to ' +
      'WebSocket (ws).',
    from: 'sum',
    label: transport,
  },
  {
    name: 'forebay_connections_closed_total',
    type: 'counter',
    unit: 'connections',
    help: 'WebSocket connections closed.',
    from: 'sum',
    label: { name: 'reason', values: CLOSE_REASONS },
  },
  {
    name: 'forebay_handshakes_refused_total',
    type: 'counter',
    unit: 'handshakes',
    help:
      'Rejected WebSocket handshakes; bad_request: also requests to /ws without an upgrade; ' +
      'too_many_connections: also connections closed before a request; request_timeout: ' +
      'connections without a request in time.',
    from: 'sum',
    label: { name: 'reason', values: [...requestCodes, ...streamCodes, 'draining'] },
  },
  {
    name: 'forebay_requests_refused_total',
    type: 'counter',
    unit: 'requests',
    help:
      'HTTP requests rejected as a whole; rejected events of a body are counted by event. ' +
      'buffer_full: memory above FOREBAY_MAX_RSS_BYTES; draining: the stream is being removed.',
    from: 'sum',
    label: {
      name: 'reason',
      values: [...requestCodes, ...streamCodes, 'too_large', 'buffer_full', 'draining'],
    },
  },
  {
    name: 'forebay_tls_certificate_not_after_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'Unix time at which the served certificate expires; 0 = no TLS.',
    from: 'worker',
    greatest: true,
  },
  {
    name: 'forebay_ack_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from the arrival of an event until it is settled.',
    from: 'sum',
    buckets: seconds,
    slots: 'stream',
  },
  {
    name: 'forebay_produce_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time from a produce request to its response.',
    from: 'sum',
    buckets: seconds,
  },
  {
    name: 'forebay_stage_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'Time spent in each stage between arrival and acknowledgement.',
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
    help: 'Bytes per stored batch as sent, after compression.',
    from: 'sum',
    buckets: [256, 1024, 4096, 16384, 65536, 131072, 262144, 1048576],
  },
  {
    name: 'forebay_batch_uncompressed_bytes_total',
    type: 'counter',
    unit: 'bytes',
    help:
      'Bytes of stored batches before compression; divided by forebay_batch_bytes_sum: the ' +
      'ratio.',
    from: 'sum',
  },
  {
    name: 'forebay_produce_errors_total',
    type: 'counter',
    unit: 'errors',
    help:
      'Failed attempts to store a batch; those of a topic with several streams count for the ' +
      'first of them in the stream file.',
    from: 'sum',
    label: { name: 'class', values: PRODUCE_ERROR_CLASSES },
    slots: 'stream',
  },
  {
    name: 'forebay_producer_resets_total',
    type: 'counter',
    unit: 'resets',
    help: 'Lanes that started a new epoch or producer id after a sequence error.',
    from: 'sum',
    label: { name: 'class', values: ['epoch', 'producer_id'] },
  },
  {
    name: 'forebay_lanes',
    type: 'gauge',
    unit: 'lanes',
    help:
      'Lanes (topic-partitions of a worker); those of a topic with several streams count for the ' +
      'first of them in the stream file.',
    from: 'sum',
    label: { name: 'state', values: LANE_STATES },
    slots: 'stream',
  },
  {
    name: 'forebay_stream_info',
    type: 'gauge',
    help: 'Always 1; labels give topic and owner of each stream, for joins.',
    from: 'primary',
    openLabels: ['stream', 'topic', 'owner'],
  },
  {
    name: 'forebay_streams_version',
    type: 'gauge',
    help: 'Version of the stream file in use: starts at 1, rises with each change; 0 = no stream file.',
    from: 'primary',
  },
  {
    name: 'forebay_streams_reloads_total',
    type: 'counter',
    unit: 'reloads',
    help: 'Changes of the stream file or its schemas; rejected: those with errors.',
    from: 'primary',
    label: { name: 'result', values: RELOAD_RESULTS },
  },
  ...SCHEMA_REGISTRY_SERIES,
  ...PROCESS_SERIES,
] as const satisfies readonly Series[];

export type SeriesName = (typeof CATALOGUE)[number]['name'];

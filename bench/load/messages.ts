/** Messages between the load client and the measuring process. */
import type { SchemaName } from './json-schema.ts';

/** `plain`, events of a schema, or `mixed`: those of the streams s0 to s15 in turn. */
export type BodyName = SchemaName | 'mixed';

/** Target and shape of a load. */
export interface LoadShape {
  readonly port: number;
  /** Distinguishes the events of a run: 1 to 8 letters and digits. */
  readonly run: string;
  readonly connections: number;
  readonly eventsPerSecond: number;
  readonly eventsPerFrame: number;
  /** Frames per write. */
  readonly framesPerPacket: number;
  /** Length of an event's JSON, in any encoding; the mean, where bodies vary. */
  readonly eventBytes: number;
  /** Default: plain. */
  readonly body?: BodyName;
  /** The connections are divided among this many streams; undefined = no stream in the path. */
  readonly streams?: number | undefined;
  readonly encoding?: Encoding;
}

/**
 * Encoding of events, default JSON; `records` is a JSON object with an array of keys and values, as
 * HTTP bridges to Kafka read it.
 */
export type Encoding = 'json' | 'msgpack' | 'records';

/** Returns the name of a stream, numbered from 0. */
export function streamName(index: number): string {
  return `s${index}`;
}

export interface LoadTimes {
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** Time after the window for all events to settle. */
  readonly settleMs: number;
  /** Drops events that wait for credit at the end of the window: for overload. */
  readonly dropQueue?: boolean;
}

export type LoadCommand =
  | { readonly do: 'open'; readonly shape: LoadShape }
  | { readonly do: 'run'; readonly times: LoadTimes }
  | { readonly do: 'close' };

export type LoadAnswer =
  | { readonly is: 'done' }
  /** The window starts or ends now. */
  | { readonly is: 'begin' | 'end' }
  | { readonly is: 'report'; readonly report: LoadReport }
  | { readonly is: 'failed'; readonly message: string };

/** Results of one connection. Its events are numbered from 0. */
export interface ConnectionReport {
  readonly sentEvents: number;
  /** Events of acknowledged frames: stored, or rejected before. */
  readonly settledEvents: number;
  /** Ranges of rejected events: first and last, alternating. */
  readonly refused: readonly number[];
  /** Ranges of events rejected with `timeout`, which may be stored. */
  readonly uncertain: readonly number[];
}

/** Milliseconds. */
export interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface LoadReport {
  readonly shape: LoadShape;
  readonly connections: readonly ConnectionReport[];
  /** Scheduled events of the window; `sent` may be lower without credit. */
  readonly plannedEvents: number;
  readonly sentEvents: number;
  readonly refusedEvents: Readonly<Record<string, number>>;
  /** Results within the window, by the clock. */
  readonly window: {
    readonly ms: number;
    /** Settled and not rejected. */
    readonly ackedEvents: number;
    readonly ackFrames: number;
  };
  /** From the scheduled send time to the ack, for events scheduled in the window. */
  readonly latency: Spread;
  /** Histogram of the latency in microseconds, encoded by hdr-histogram-js. */
  readonly histogram: string;
  /** From the write to the nack. */
  readonly refusal: Spread;
  /** Lag of the pacer, not counting credit. */
  readonly lag: Spread;
  /** Packets that waited for credit. */
  readonly starvedPackets: number;
  /** Share of one core, in the window. */
  readonly cpuShare: number;
  /** Protocol violations, lost connections, unsettled events. */
  readonly problems: readonly string[];
}

/** What the load client is told, and what it tells, between processes. */

/** Where the load goes to, and what it looks like. */
export interface LoadShape {
  readonly port: number;
  /** Tells the events of one run from all others: 1 to 8 letters and digits. */
  readonly run: string;
  readonly connections: number;
  readonly eventsPerSecond: number;
  readonly eventsPerFrame: number;
  /** Frames that go out with one write. */
  readonly framesPerPacket: number;
  /** Of an event's JSON, however it is sent. */
  readonly eventBytes: number;
  /** How it is sent; JSON, if nothing is said. */
  readonly encoding?: 'json' | 'msgpack';
}

export interface LoadTimes {
  readonly warmUpMs: number;
  readonly windowMs: number;
  /** How long after the window all that was sent may take to be settled. */
  readonly settleMs: number;
  /** What waits for credit when the window ends is not sent any more: for overload. */
  readonly dropQueue?: boolean;
}

export type LoadCommand =
  | { readonly do: 'open'; readonly shape: LoadShape }
  | { readonly do: 'run'; readonly times: LoadTimes }
  | { readonly do: 'close' };

export type LoadAnswer =
  | { readonly is: 'done' }
  /** The window begins or ends now. */
  | { readonly is: 'begin' | 'end' }
  | { readonly is: 'report'; readonly report: LoadReport }
  | { readonly is: 'failed'; readonly message: string };

/** What one connection sent and heard. Its events are numbered from 0. */
export interface ConnectionReport {
  readonly sentEvents: number;
  /** Events of acknowledged frames: stored, or refused before. */
  readonly settledEvents: number;
  /** Ranges of events that were refused: first and last, in turn. */
  readonly refused: readonly number[];
  /** The same of those that were refused `timeout`: they may be stored. */
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
  /** What the schedule had for the window; `sent` may be less when credit ran out. */
  readonly plannedEvents: number;
  readonly sentEvents: number;
  readonly refusedEvents: Readonly<Record<string, number>>;
  /** Within the window, by the clock. */
  readonly window: {
    readonly ms: number;
    /** Settled and not refused. */
    readonly ackedEvents: number;
    readonly ackFrames: number;
  };
  /** From the intended time of sending to the ack, of events intended for the window. */
  readonly latency: Spread;
  /** The same, encoded by hdr-histogram-js, in microseconds. */
  readonly histogram: string;
  /** From the write to the nack. */
  readonly refusal: Spread;
  /** How late the pacer was, credit not counted. */
  readonly lag: Spread;
  /** Frames that waited for credit. */
  readonly starvedPackets: number;
  /** Of one core, in the window. */
  readonly cpuShare: number;
  /** Broken protocol, lost connections, what was not settled in time. */
  readonly problems: readonly string[];
}

/** IPC messages between primary and workers (`serialization: 'advanced'`). */
import type { KeyEntry, KeySet } from './api-keys/format.ts';
import type { EventCode } from './common/errors.ts';
import type { MetricSnapshot } from './metrics/counters.ts';
import type { MetricSlots } from './metrics/slots.ts';
import type { StreamFile } from './streams/stream-file.ts';
import type { TailReport, TailViewer } from './tail/entry.ts';
import type { ViolationKind } from './violations/violation-table.ts';

/** State of one worker; the primary derives the instance's readiness from it. */
export interface WorkerStatus {
  readonly listening: boolean;
  /** Since the start, each required topic had a connected leader and a producer id. */
  readonly kafkaReached: boolean;
  /** Reason why Kafka was not reached yet; no broker addresses. */
  readonly kafka: string;
  /** Reason why the missing topic was not created; undefined = no attempt has failed. */
  readonly topicCreation: string | undefined;
  /** Kafka rejects writes by ACLs or policy until an operator acts. */
  readonly refusedByPolicy: boolean;
  /** Resident memory is above its limit, and new connections are rejected. */
  readonly memoryShort: boolean;
  /** Usage and limit of the fullest buffer of a required topic. */
  readonly bufferedBytes: number;
  readonly bufferLimitBytes: number;
  readonly delivery: Delivery;
  /** Partitions that have had no leader for `LIMITS.leaderlessMs`. */
  readonly leaderlessPartitions: number;
  readonly waiting: Waiting;
}

/** A worker's ability to store events. */
export interface Delivery {
  /** Time without the topic, or without a connected leader and a producer id; 0 = usable. */
  readonly unreachableMs: number;
  /** Time without progress of the partition that is stuck longest; 0 = none is. */
  readonly stuckMs: number;
  /** Maximum of `stuckMs` over partitions whose leader is usable or was sent their events. */
  readonly unansweredMs: number;
  /** Partitions stuck for at least `LIMITS.outage.totalMs`. */
  readonly stuckPartitions: number;
  readonly partitions: number;
  /** Time since a batch was stored; Infinity = never. */
  readonly storedAgoMs: number;
  /** Failure of the partition that is stuck longest, in words; no broker addresses. */
  readonly reason: string;
}

/** Events whose senders wait for an answer. */
export interface Waiting {
  readonly events: number;
  /** Buffer space of all events, including those whose senders received `timeout`. */
  readonly bytes: number;
  /** Age of the oldest event. */
  readonly oldestMs: number;
}

export type FaultLevel = 'info' | 'warn' | 'error';

/** A problem that all workers encounter, with Kafka or with omissions of senders: one log line. */
export interface Fault {
  readonly level: FaultLevel;
  /** Faults of several workers with the same key are one. */
  readonly key: string;
  readonly message: string;
  readonly fields: object;
  /** Repeats that the worker has not reported. */
  readonly held: number;
  /** Logged a single time while the instance runs. */
  readonly once?: true;
}

/** Events of API keys by stream and outcome, since the previous report of the worker. */
export type ReportedKeyOutcomes = readonly {
  readonly key: string;
  readonly stream: string;
  readonly outcome: 'stored' | EventCode;
  readonly events: number;
}[];

/** Violations since the previous report of the worker; their number is bounded. */
export type ReportedViolations = readonly {
  readonly stream: string;
  readonly kind: ViolationKind;
  /** Events whose reasons are not among the rows. */
  readonly otherEvents: number;
  readonly rows: readonly {
    readonly code: EventCode;
    /** Names fields and quotes the schema; no values of events. */
    readonly reason: string;
    readonly events: number;
    /** Redacted; undefined = no new one. */
    readonly example: string | undefined;
  }[];
}[];

/** Configuration of a topic, read by one worker for all. */
export interface TopicFacts {
  readonly topic: string;
  readonly maxMessageBytes: number;
  readonly timestamps: TimestampBounds;
}

/** Timestamps that a topic accepts, around the time at the broker, ms; undefined = any. */
export interface TimestampBounds {
  /** `message.timestamp.before.max.ms` */
  readonly beforeMs?: number | undefined;
  /** `message.timestamp.after.max.ms` */
  readonly afterMs?: number | undefined;
}

/** The instance's answer to /readyz. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/** The current outage of Kafka, described for the live view and the test page. */
export interface OutageNotice {
  /** `all`: no event can be stored; `some`: those of some partitions cannot. */
  readonly scope: 'all' | 'some';
  readonly effect: string;
  /** Failure that began the outage, in words; no broker addresses. */
  readonly reason: string;
  /** Beginning of the outage, in ms since 1970. */
  readonly sinceMs: number;
}

/** Messages from a worker. */
export type ToPrimary =
  /** Metrics: every second, on a change of status, and as the last message. */
  | {
      readonly type: 'snapshot';
      readonly metrics: MetricSnapshot;
      readonly status: WorkerStatus;
      /** Undefined = none. */
      readonly violations: ReportedViolations | undefined;
      /** Undefined = none. */
      readonly keyOutcomes: ReportedKeyOutcomes | undefined;
    }
  /**
   * The topic does not exist, or was recreated: the worker that administers topics must check it.
   */
  | { readonly type: 'topicMissing' | 'topicRecreated'; readonly topic: string }
  | { readonly type: 'topicFacts'; readonly facts: TopicFacts }
  | { readonly type: 'fault'; readonly fault: Fault }
  /** Events for the viewers of the live tail. */
  | { readonly type: 'tail'; readonly report: TailReport }
  /** Carries the port's listening socket, to be sent back. */
  | { readonly type: 'port' }
  /** The worker has begun to receive messages; with a stream file it waits for its streams. */
  | { readonly type: 'hello' }
  /** The worker uses this version of the streams; with a reason, it stays with the previous one. */
  | {
      readonly type: 'streamsApplied';
      readonly version: number;
      readonly failure: string | undefined;
    }
  /** Everything is settled or the deadline has passed; `left` events are not settled. */
  | { readonly type: 'drained'; readonly left: number }
  /** The worker fails to start and exits: a one-line message, and the exit code. */
  | { readonly type: 'fatal'; readonly message: string; readonly exitCode: number };

/**
 * Messages from the primary. A worker that is still loading would miss them, so the primary waits
 * for the first message of the worker, sent as soon as the worker listens to messages.
 * Then the primary sends the entire current state.
 */
export type ToWorker =
  | {
      readonly type: 'readiness';
      readonly readiness: Readiness;
      readonly outage: OutageNotice | undefined;
    }
  /**
   * Administer one topic, or all: create it if it is missing and allowed, read its configuration.
   */
  | { readonly type: 'topicAdmin'; readonly topic: string | undefined }
  | { readonly type: 'topicFacts'; readonly facts: TopicFacts }
  /**
   * Keys of the files that settings name; a worker that needs them listens only once it has them.
   */
  | {
      readonly type: 'keys';
      readonly keys: readonly KeyEntry[] | undefined;
      readonly keySet: KeySet | undefined;
      readonly slots: MetricSlots;
    }
  /** Streams of the stream file: before any other message, and when they have changed. */
  | {
      readonly type: 'streams';
      readonly version: number;
      readonly file: StreamFile;
      readonly slots: MetricSlots;
    }
  /** All viewers of the live tail, when they have changed. */
  | { readonly type: 'tail'; readonly viewers: readonly TailViewer[] }
  /** Carries the port's listening socket, sent back: the worker has another handle of it. */
  | { readonly type: 'port' }
  /**
   * Send `goaway`, settle, close, answer `drained`, exit; if repeated, only the deadline moves
   * closer.
   */
  | { readonly type: 'drain'; readonly timeoutMs: number };

/** Values of the labels that belong to one stage; those of rejections are in common/errors.ts. */

/** Classes of failed attempts to store a batch, by the producer's next step. */
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
  'stream',
] as const;
export type CloseReason = (typeof CLOSE_REASONS)[number];

/** Stages of an event's path, in order. */
export const STAGES = ['decode', 'lane', 'produce', 'ack'] as const;

/** Results of the events of an API key. */
export const KEY_RESULTS = ['stored', 'refused', 'dropped'] as const;

/** Ends of dead letters. */
export const DEAD_LETTER_RESULTS = ['written', 'dropped', 'lost'] as const;

/** Results of attempts to replace the streams in use. */
export const RELOAD_RESULTS = ['applied', 'rejected'] as const;
export type ReloadResult = (typeof RELOAD_RESULTS)[number];

export const WORKER_STATES = ['starting', 'ready', 'draining', 'dead'] as const;
export const WORKER_CAUSES = ['crash', 'hang'] as const;

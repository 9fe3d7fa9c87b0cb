import type { EventCode } from '../../common/errors.ts';
import type { Owner } from '../accumulator/batch.ts';
import type { ArrivalRejection } from '../acknowledger/outcome-listener.ts';

/** Receives rejected events; without an event index, rejected frames. */
export type RejectionListener = (
  owner: Owner,
  frame: number,
  event: number | undefined,
  code: EventCode,
  message: string,
  /** Offset of the stream's cells in the metrics. */
  cells: number,
  /** Time until a retry can succeed, if known. */
  retryAfterMs?: number,
  /** Events of a rejected frame, if more than one. */
  events?: number,
  /** The event or frame; undefined = unknown. */
  input?: ArrivalRejection,
) => void;

/** Outcomes of events by API key and stream in this worker, reported for the live view. */
import { type EventCode, eventCodes } from '../../common/errors.ts';
import { LIMITS } from '../../config/limits.ts';
import type { ReportedKeyOutcomes } from '../../ipc.ts';
import { KEY_CELLS, STREAM_CELLS } from '../../metrics/layout.ts';
import type { MetricSlots } from '../../metrics/slots.ts';

/** Outcomes by number: `stored`, then the codes. */
const OUTCOMES = ['stored', ...eventCodes] as const;
const NUMBERS = new Map(OUTCOMES.map((outcome, number) => [outcome, number]));
const STREAMS_MAX = LIMITS.streams + 1;

export class KeyOutcomes {
  readonly #slots: () => MetricSlots;
  /** Events by (key, stream, outcome), as one number. */
  readonly #events = new Map<number, number>();

  /** @param slots the slots in use, which name keys and streams */
  constructor(slots: () => MetricSlots) {
    this.#slots = slots;
  }

  /**
   * Counts events.
   * @param keyCells offset of the cells of their API key
   * @param cells offset of the cells of their stream
   */
  add(keyCells: number, cells: number, outcome: 'stored' | EventCode, events: number): void {
    const pair = (keyCells / KEY_CELLS) * STREAMS_MAX + cells / STREAM_CELLS;
    const number = pair * OUTCOMES.length + NUMBERS.get(outcome)!;
    this.#events.set(number, (this.#events.get(number) ?? 0) + events);
  }

  /** Returns the events since the last call; undefined = none. */
  take(): ReportedKeyOutcomes | undefined {
    if (this.#events.size === 0) return undefined;
    const { keys, streams } = this.#slots();
    const rows = [...this.#events].map(([number, events]) => {
      const pair = Math.floor(number / OUTCOMES.length);
      return {
        key: keys[Math.floor(pair / STREAMS_MAX)]!,
        stream: streams[pair % STREAMS_MAX]!,
        outcome: OUTCOMES[number % OUTCOMES.length]!,
        events,
      };
    });
    this.#events.clear();
    return rows;
  }
}

import { LIMITS } from '../../config/limits.ts';
import type { TurnBudget } from './turn-budget.ts';

/** Input of one sender in an event-loop turn without time left. */
export class Inflow {
  #turn = -1;
  messages = 0;
  bytes = 0;

  add(turn: number, bytes: number): void {
    if (turn !== this.#turn) {
      this.#turn = turn;
      this.messages = 0;
      this.bytes = 0;
    }
    this.messages++;
    this.bytes += bytes;
  }
}

/**
 * Detects bodies that arrive as a flood of tiny chunks. uWebSockets.js reports every chunk of a
 * read, some 90,000 of one byte, and neither a pause nor a response stops it: closing the
 * connection does.
 */
export class ChunkFloodDetector {
  readonly #turn: Pick<TurnBudget, 'spend' | 'number'>;
  readonly #inflow = new Inflow();

  constructor(turn: Pick<TurnBudget, 'spend' | 'number'>) {
    this.#turn = turn;
  }

  /** Counts a chunk as input of the turn. @returns whether to close its connection */
  isFlood(bytes: number): boolean {
    if (this.#turn.spend(bytes)) return false;
    const { count, bytes: bytesPerChunk } = LIMITS.spentChunks;
    this.#inflow.add(this.#turn.number, bytes);
    return this.#inflow.messages > count + this.#inflow.bytes / bytesPerChunk;
  }
}

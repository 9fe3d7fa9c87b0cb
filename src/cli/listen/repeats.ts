/**
 * Detection of events whose id was seen before. Of all copies of one id, at most one may be
 * unmarked; it may stand before or after the marked ones, in any partition:
 *
 *   copies in the order of reading      unmarked copies
 *   a  a*  a*                           1    as it should be: * has the header fb-resent
 *   a* a  a*                            1    the original was stored after its marked repeat
 *   a  a*  a                            2    a repeat: the third copy
 */
import type { JsonObject } from '../../common/json-object.ts';
import { printable } from '../../common/printable.ts';
import { fieldAt } from './event.ts';
import { counted } from './format.ts';

export interface RepeatsSummary {
  /** Events checked. */
  readonly events: number;
  /** Ids that were not remembered when they arrived. */
  readonly distinctIds: number;
  /** Unmarked events whose id an earlier unmarked event has. */
  readonly repeats: number;
  /** Other events with the id of an earlier event: one of the two is marked. */
  readonly markedRepeats: number;
  /** Events without an id, or that are not JSON objects: not checkable. */
  readonly withoutId: number;
  /** Evicted ids: their repeats are not detected. */
  readonly forgotten: number;
}

const EXAMPLES_MAX = 10;

/** An event with the id of an earlier one. */
export interface Repeat {
  /** The id, escaped. */
  readonly id: string;
  /** Permitted, since only one copy is unmarked so far, or none. */
  readonly isMarked: boolean;
}

export class Repeats {
  readonly #field: string;
  readonly #generationMax: number;
  /**
   * Ids as JSON, so that 1 and "1" differ, and whether an unmarked copy was seen. The older half is
   * evicted when there are too many.
   */
  #young = new Map<string, boolean>();
  #old = new Map<string, boolean>();
  readonly #examples: string[] = [];
  #events = 0;
  #distinctIds = 0;
  #repeats = 0;
  #markedRepeats = 0;
  /** Whether a marked event was seen, with or without id. */
  #hasMarks = false;
  #withoutId = 0;
  #forgotten = 0;

  /**
   * @param field path of the field that holds an event's id
   * @param idsMax maximum of remembered ids; at least the newest half of them is kept
   */
  constructor(field: string, idsMax: number) {
    this.#field = field;
    this.#generationMax = Math.ceil(idsMax / 2);
  }

  /**
   * Checks the next event.
   * @param marked it was sent as a possible repeat
   * @returns undefined for the first event with its id, and for one without id
   */
  check(event: JsonObject | undefined, marked = false): Repeat | undefined {
    this.#events++;
    this.#hasMarks ||= marked;
    const id = this.#idOf(event);
    if (id === undefined) {
      this.#withoutId++;
      return undefined;
    }
    const generation = this.#young.has(id) ? this.#young : this.#old;
    const hasUnmarked = generation.get(id);
    if (hasUnmarked === undefined) {
      this.#remember(id, !marked);
      return undefined;
    }
    const shown = printable(id);
    if (marked || !hasUnmarked) {
      this.#markedRepeats++;
      generation.set(id, hasUnmarked || !marked);
      return { id: shown, isMarked: true };
    }
    this.#repeats++;
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(shown);
    return { id: shown, isMarked: false };
  }

  get summary(): RepeatsSummary {
    return {
      events: this.#events,
      distinctIds: this.#distinctIds,
      repeats: this.#repeats,
      markedRepeats: this.#markedRepeats,
      withoutId: this.#withoutId,
      forgotten: this.#forgotten,
    };
  }

  /** Summary line, with the first repeated ids; without marked repeats if nothing is marked. */
  describe(): string {
    const { events, distinctIds, repeats, markedRepeats, withoutId, forgotten } = this.summary;
    const parts = [
      counted(events, 'event'),
      counted(distinctIds, 'distinct id'),
      counted(repeats, 'repeat'),
      ...(this.#hasMarks ? [counted(markedRepeats, 'marked repeat')] : []),
      `${withoutId} without ${printable(this.#field)}`,
    ];
    if (forgotten > 0) parts.push(`the ${forgotten} oldest ids were evicted`);
    const line = parts.join(', ');
    return repeats === 0 ? line : `${line}; first repeats: ${this.#examples.join(' ')}`;
  }

  #remember(id: string, isUnmarked: boolean): void {
    this.#distinctIds++;
    if (this.#young.size >= this.#generationMax) {
      this.#forgotten += this.#old.size;
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, isUnmarked);
  }

  #idOf(event: JsonObject | undefined): string | undefined {
    const id = fieldAt(event, this.#field);
    return id === undefined || id === null ? undefined : JSON.stringify(id);
  }
}

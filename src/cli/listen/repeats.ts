/** Detection of events whose id was seen before. */
import type { JsonObject } from '../../common/json-object.ts';
import { printable } from '../../common/printable.ts';
import { counted } from './format.ts';

export interface RepeatsSummary {
  /** Events checked. */
  readonly events: number;
  /** Ids that were not remembered when they arrived. */
  readonly distinctIds: number;
  /** Events with the id of an earlier event. */
  readonly repeats: number;
  /** Events without an id, or that are not JSON objects: not checkable. */
  readonly withoutId: number;
  /** Evicted ids: their repeats are not detected. */
  readonly forgotten: number;
}

const EXAMPLES_MAX = 10;

export class Repeats {
  readonly #field: string;
  readonly #generationMax: number;
  /** Ids as JSON, so that 1 and "1" differ. The older half is evicted when there are too many. */
  #young = new Set<string>();
  #old = new Set<string>();
  readonly #examples: string[] = [];
  #events = 0;
  #distinctIds = 0;
  #repeats = 0;
  #withoutId = 0;
  #forgotten = 0;

  /**
   * @param field name of the field that holds an event's id
   * @param idsMax maximum of remembered ids; at least the newest half of them is kept
   */
  constructor(field: string, idsMax: number) {
    this.#field = field;
    this.#generationMax = Math.ceil(idsMax / 2);
  }

  /** @returns the event's id, escaped, if it was seen before */
  check(event: JsonObject | undefined): string | undefined {
    this.#events++;
    const id = this.#idOf(event);
    if (id === undefined) {
      this.#withoutId++;
      return undefined;
    }
    if (!this.#young.has(id) && !this.#old.has(id)) {
      this.#remember(id);
      return undefined;
    }
    this.#repeats++;
    const shown = printable(id);
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(shown);
    return shown;
  }

  get summary(): RepeatsSummary {
    return {
      events: this.#events,
      distinctIds: this.#distinctIds,
      repeats: this.#repeats,
      withoutId: this.#withoutId,
      forgotten: this.#forgotten,
    };
  }

  /** Summary line, with the first repeated ids. */
  describe(): string {
    const { events, distinctIds, repeats, withoutId, forgotten } = this.summary;
    const parts = [
      `${counted(events, 'event')}, ${counted(distinctIds, 'distinct id')}`,
      `${counted(repeats, 'repeat')}, ${withoutId} without ${this.#field}`,
    ];
    if (forgotten > 0) parts.push(`the ${forgotten} oldest ids were evicted`);
    const line = parts.join(', ');
    return repeats === 0 ? line : `${line}; first repeats: ${this.#examples.join(' ')}`;
  }

  #remember(id: string): void {
    this.#distinctIds++;
    if (this.#young.size >= this.#generationMax) {
      this.#forgotten += this.#old.size;
      this.#old = this.#young;
      this.#young = new Set();
    }
    this.#young.add(id);
  }

  #idOf(event: JsonObject | undefined): string | undefined {
    if (event === undefined || !Object.hasOwn(event, this.#field)) return undefined;
    const id = event[this.#field];
    return id === null ? undefined : JSON.stringify(id);
  }
}

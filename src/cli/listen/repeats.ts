/** Finds events whose id was seen before. */
import type { JsonObject } from '../../common/json-object.ts';
import { printable } from '../../common/printable.ts';
import { counted } from './words.ts';

export interface RepeatsSummary {
  /** Events looked at. */
  readonly events: number;
  /** Ids that were not among those remembered when they came. */
  readonly distinctIds: number;
  /** Events whose id an earlier event had. */
  readonly repeats: number;
  /** Events without an id, or that are no JSON objects: nothing can be said of them. */
  readonly withoutId: number;
  /** Ids that are not remembered any more: their repeats go unseen. */
  readonly forgotten: number;
}

const EXAMPLES_MAX = 10;

export class Repeats {
  readonly #field: string;
  readonly #generationMax: number;
  /** Ids as JSON, so that 1 and "1" differ. When there are many, the older half is let go. */
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
   * @param idsMax ids that are remembered at the most; at least the newest half of them is
   */
  constructor(field: string, idsMax: number) {
    this.#field = field;
    this.#generationMax = Math.ceil(idsMax / 2);
  }

  /** @returns the event's id, to be shown, if it was seen before */
  look(event: JsonObject | undefined): string | undefined {
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

  /** The summary in a line for people, with the first repeated ids. */
  describe(): string {
    const { events, distinctIds, repeats, withoutId, forgotten } = this.summary;
    const parts = [
      `${counted(events, 'event')}, ${counted(distinctIds, 'distinct id')}`,
      `${counted(repeats, 'repeat')}, ${withoutId} without ${this.#field}`,
    ];
    if (forgotten > 0) parts.push(`the ${forgotten} oldest ids were forgotten`);
    const line = parts.join(', ');
    return repeats === 0 ? line : `${line}; repeated first: ${this.#examples.join(' ')}`;
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

/** Finds events whose id was seen before. */
import { printable } from './format.ts';

export interface RepeatsSummary {
  /** Events looked at. */
  readonly events: number;
  readonly distinctIds: number;
  /** Events whose id an earlier event had. */
  readonly repeats: number;
  /** Events without an id, or that are no JSON objects: nothing can be said of them. */
  readonly withoutId: number;
}

const EXAMPLES_MAX = 10;

export class Repeats {
  readonly #field: string;
  /** Ids as JSON, so that 1 and "1" differ. */
  readonly #seen = new Set<string>();
  readonly #examples: string[] = [];
  #events = 0;
  #repeats = 0;
  #withoutId = 0;

  /** @param field name of the field that holds an event's id */
  constructor(field: string) {
    this.#field = field;
  }

  /** @param value the record's bytes; @returns its id, to be shown, if it was seen before */
  look(value: Buffer | null): string | undefined {
    this.#events++;
    const id = this.#idOf(value);
    if (id === undefined) {
      this.#withoutId++;
      return undefined;
    }
    const before = this.#seen.size;
    if (this.#seen.add(id).size > before) return undefined;
    this.#repeats++;
    const shown = printable(id);
    if (this.#examples.length < EXAMPLES_MAX) this.#examples.push(shown);
    return shown;
  }

  get summary(): RepeatsSummary {
    return {
      events: this.#events,
      distinctIds: this.#seen.size,
      repeats: this.#repeats,
      withoutId: this.#withoutId,
    };
  }

  /** The summary in a line for people, with the first repeated ids. */
  describe(): string {
    const { events, distinctIds, repeats, withoutId } = this.summary;
    const ids = `${counted(distinctIds, 'distinct id')}, ${counted(repeats, 'repeat')}`;
    const line = `${counted(events, 'event')}, ${ids}, ${withoutId} without ${this.#field}`;
    return repeats === 0 ? line : `${line}; repeated first: ${this.#examples.join(' ')}`;
  }

  #idOf(value: Buffer | null): string | undefined {
    try {
      const event: unknown = JSON.parse(value?.toString('utf8') ?? '');
      if (event === null || typeof event !== 'object' || Array.isArray(event)) return undefined;
      if (!Object.hasOwn(event, this.#field)) return undefined;
      const id = (event as Record<string, unknown>)[this.#field];
      return id === null ? undefined : JSON.stringify(id);
    } catch {
      return undefined;
    }
  }
}

function counted(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

/** Results of many events: how many pass and fail, by reason, with examples. Memory is bounded. */
import { TRY_LIMITS } from './limits.ts';

/** A record whose event fails. */
export interface FailedRecord {
  readonly partition: number;
  readonly offset: bigint;
  /** Returns the event as text; called only for examples. */
  readonly text: () => string;
}

export interface FailedExample {
  readonly partition: number;
  readonly offset: bigint;
  /** Event, cut to a maximum length; undefined = not shown. */
  readonly event: string | undefined;
}

export interface Reason {
  /** Message of the validator, with `*` for indices of arrays. */
  readonly text: string;
  readonly count: number;
  /** The first events with this reason. */
  readonly examples: readonly FailedExample[];
}

export interface TallyOptions {
  /** Maximum number of examples for each reason. */
  readonly examples: number;
  /** Whether the examples show the event. */
  readonly values: boolean;
}

interface Counted extends Reason {
  count: number;
  readonly examples: FailedExample[];
}

export class Tally {
  readonly #options: TallyOptions;
  readonly #reasons = new Map<string, Counted>();
  #passed = 0;
  #failed = 0;
  #unlisted = 0;

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  get passed(): number {
    return this.#passed;
  }

  get failed(): number {
    return this.#failed;
  }

  get events(): number {
    return this.#passed + this.#failed;
  }

  /** Failed events whose reason is not listed: there were too many different ones. */
  get unlisted(): number {
    return this.#unlisted;
  }

  /** The reasons, most frequent first. */
  get reasons(): readonly Reason[] {
    return [...this.#reasons.values()].sort((a, b) => b.count - a.count);
  }

  pass(): void {
    this.#passed++;
  }

  fail(message: string, record: FailedRecord): void {
    this.#failed++;
    const text = message.replace(POINTER, withoutIndices);
    let reason = this.#reasons.get(text);
    if (reason === undefined) {
      if (this.#reasons.size === TRY_LIMITS.reasons) {
        this.#unlisted++;
        return;
      }
      reason = { text, count: 0, examples: [] };
      this.#reasons.set(text, reason);
    }
    reason.count++;
    if (reason.examples.length < this.#options.examples)
      reason.examples.push(this.#example(record));
  }

  #example({ partition, offset, text }: FailedRecord): FailedExample {
    return { partition, offset, event: this.#options.values ? shortened(text()) : undefined };
  }
}

/** JSON pointer at the start of a message. */
const POINTER = /^\/\S*/;

function withoutIndices(pointer: string): string {
  return pointer.replace(/\/\d+(?=\/|$)/g, '/*');
}

function shortened(text: string): string {
  const { exampleLength } = TRY_LIMITS;
  return text.length <= exampleLength ? text : `${text.slice(0, exampleLength)}…`;
}

/** One worker at a time looks after the topic: creates it, reads its configuration. */
import type { TopicFacts } from '../messages.ts';

export class Steward {
  #slot: number | undefined;
  /** It was told, and has not said yet what it found. */
  #asked = false;
  #facts: TopicFacts | undefined;
  readonly #tell: (slot: number) => void;

  /** @param tell sends `steward` to the worker of a slot */
  constructor(tell: (slot: number) => void) {
    this.#tell = tell;
  }

  /** What is known of the topic. */
  get facts(): TopicFacts | undefined {
    return this.#facts;
  }

  /** A worker can be spoken to. */
  workerUp(slot: number): void {
    if (this.#slot === undefined) this.#ask(slot);
  }

  /** @param others slots whose workers can be spoken to */
  workerDown(slot: number, others: readonly number[]): void {
    if (this.#slot !== slot) return;
    this.#slot = undefined;
    this.#asked = false;
    if (others[0] !== undefined) this.#ask(others[0]);
  }

  /** A worker found no topic: the steward is told again, once until it answers. */
  topicMissing(): void {
    if (this.#slot !== undefined && !this.#asked) this.#ask(this.#slot);
  }

  /** @returns whether that is news */
  found(facts: TopicFacts): boolean {
    this.#asked = false;
    const news = this.#facts?.maxMessageBytes !== facts.maxMessageBytes;
    this.#facts = facts;
    return news;
  }

  #ask(slot: number): void {
    this.#slot = slot;
    this.#asked = true;
    this.#tell(slot);
  }
}

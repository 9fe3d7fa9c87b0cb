/** One worker at a time looks after the topic: creates it, reads its configuration. */
import type { TopicFacts } from '../ipc.ts';

export class Steward {
  #worker: number | undefined;
  /** It was told, and has not said yet what it found. */
  #asked = false;
  #facts: TopicFacts | undefined;
  readonly #tell: (worker: number) => void;

  /** @param tell sends `steward` to a worker */
  constructor(tell: (worker: number) => void) {
    this.#tell = tell;
  }

  /** What is known of the topic. */
  get facts(): TopicFacts | undefined {
    return this.#facts;
  }

  /** A worker can be spoken to. */
  workerUp(worker: number): void {
    if (this.#worker === undefined) this.#ask(worker);
  }

  /** A worker is gone, or leaves. @param others workers that can be spoken to and stay */
  workerDown(worker: number, others: readonly number[]): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    this.#asked = false;
    if (others[0] !== undefined) this.#ask(others[0]);
  }

  /** A worker found no topic: the steward is told again, once until it answers. */
  topicMissing(): void {
    if (this.#worker !== undefined && !this.#asked) this.#ask(this.#worker);
  }

  /** @returns whether that is news */
  found(facts: TopicFacts): boolean {
    this.#asked = false;
    const news = this.#facts?.maxMessageBytes !== facts.maxMessageBytes;
    this.#facts = facts;
    return news;
  }

  #ask(worker: number): void {
    this.#worker = worker;
    this.#asked = true;
    this.#tell(worker);
  }
}

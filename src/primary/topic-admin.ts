/** One worker at a time looks after the topics: creates them, reads their configuration. */
import type { TopicFacts } from '../ipc.ts';

export class Steward {
  #worker: number | undefined;
  /** Topics that it has reported since it was told to look at them. */
  readonly #reported = new Set<string>();
  /** Topics created again since it was told to look at them. */
  readonly #recreated = new Set<string>();
  /** By topic. */
  readonly #facts = new Map<string, TopicFacts>();
  readonly #tell: (worker: number, topic: string | undefined) => void;

  /** @param tell sends `steward` to a worker, for a topic or for all */
  constructor(tell: (worker: number, topic: string | undefined) => void) {
    this.#tell = tell;
  }

  /** What is known of each topic. */
  get facts(): Iterable<TopicFacts> {
    return this.#facts.values();
  }

  /** A worker can be spoken to. */
  workerUp(worker: number): void {
    if (this.#worker === undefined) this.#ask(worker);
  }

  /** A worker is gone, or leaves. @param others workers that can be spoken to and stay */
  workerDown(worker: number, others: readonly number[]): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    if (others[0] !== undefined) this.#ask(others[0]);
  }

  /** A worker found no such topic: the steward is told, once until it answers. */
  topicMissing(topic: string): void {
    if (this.#worker === undefined || !this.#reported.delete(topic)) return;
    this.#tell(this.#worker, topic);
  }

  /** A worker found the topic created again: what the steward is about to answer may be old. */
  topicRecreated(topic: string): void {
    if (this.#reported.has(topic)) this.topicMissing(topic);
    else this.#recreated.add(topic);
  }

  /** The steward has read the configuration of a topic. */
  found(facts: TopicFacts): void {
    this.#reported.add(facts.topic);
    this.#facts.set(facts.topic, facts);
    if (this.#recreated.delete(facts.topic)) this.topicMissing(facts.topic);
  }

  #ask(worker: number): void {
    this.#worker = worker;
    this.#reported.clear();
    this.#recreated.clear();
    this.#tell(worker, undefined);
  }
}

/**
 * Election of the one worker that administers the topics: creates them, reads their configuration.
 */
import type { TopicFacts } from '../ipc.ts';

export class TopicAdminElection {
  #worker: number | undefined;
  /** Topics that the elected worker has reported since it was asked to administer them. */
  readonly #reported = new Set<string>();
  /** Topics that were recreated since then. */
  readonly #recreated = new Set<string>();
  /** By topic. */
  readonly #facts = new Map<string, TopicFacts>();
  readonly #tell: (worker: number, topic: string | undefined) => void;

  /** @param tell sends `topicAdmin` to a worker, for a topic or for all */
  constructor(tell: (worker: number, topic: string | undefined) => void) {
    this.#tell = tell;
  }

  /** Configuration of each known topic. */
  get facts(): Iterable<TopicFacts> {
    return this.#facts.values();
  }

  /** A worker receives messages from now on. */
  workerUp(worker: number): void {
    if (this.#worker === undefined) this.#ask(worker);
  }

  /** A worker has exited or drains. @param others attached workers that stay */
  workerDown(worker: number, others: readonly number[]): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    // The newest one: during a rolling restart it may have streams that older ones do not know.
    const newest = others.at(-1);
    if (newest !== undefined) this.#ask(newest);
  }

  /** Workers have received streams with further topics. */
  topicsAdded(topics: readonly string[]): void {
    if (this.#worker === undefined) return;
    for (const topic of topics) {
      this.#reported.delete(topic);
      this.#tell(this.#worker, topic);
    }
  }

  /** A worker found the topic missing: asks the elected worker once until it answers. */
  topicMissing(topic: string): void {
    if (this.#worker === undefined || !this.#reported.delete(topic)) return;
    this.#tell(this.#worker, topic);
  }

  /** A worker found the topic recreated: a pending answer of the elected worker may be outdated. */
  topicRecreated(topic: string): void {
    if (this.#reported.has(topic)) this.topicMissing(topic);
    else this.#recreated.add(topic);
  }

  /** The elected worker has read the configuration of a topic. */
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

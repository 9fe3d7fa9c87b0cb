import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka } from 'kafkajs';
import { complain, EXIT, StartError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import '../../kafka/request-queue.ts';
import type { ListenOptions } from './arguments.ts';
import { describeFirst, firstPositions, resumedPositions } from './choose.ts';
import { describe, obstacleOf, reasonOf, TRANSIENT, waitForTopic } from './positions.ts';
import type { Printer } from './printer.ts';
import { type Positions, TopicReader } from './reader.ts';
import type { Source } from './source.ts';

const PAUSE_MS = 1_000;
/**
 * Few retries of kafkajs, so that failures are reported and signals obeyed soon; we retry forever.
 */
const RETRY = { retries: 1, initialRetryTime: 100, maxRetryTime: 500 };

/** A topic; resumes at its position after each failure of Kafka. */
export class KafkaSource implements Source {
  readonly #topic: string;
  readonly #brokers: readonly string[];
  readonly #kafka: Kafka;
  readonly #options: ListenOptions;

  constructor(topic: string, config: Config, options: ListenOptions) {
    this.#topic = topic;
    this.#brokers = config.kafkaBrokers;
    this.#kafka = new Kafka({ ...kafkaOptions(config), retry: RETRY });
    this.#options = options;
  }

  async follow(printer: Printer, signal: AbortSignal): Promise<void> {
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined));
    });
    let positions: Positions | undefined;
    while (!signal.aborted) {
      positions = await this.#positions(positions, signal);
      const reader = new TopicReader({
        kafka: this.#kafka,
        topic: this.#topic,
        positions,
        partitions: this.#options.partitions,
        onBatch: (partition, messages) => printer.print(partition, messages),
      });
      printer.begin();
      const failure = await Promise.race([reader.run(), aborted]);
      await reader.stop().catch(() => undefined);
      if (failure !== undefined) await this.#interrupted(failure, signal);
    }
  }

  /** Waits for the topic; returns the positions at which to start or resume. */
  async #positions(before: Positions | undefined, signal: AbortSignal): Promise<Positions> {
    const { from, partitions } = this.#options;
    const sinceMs = before === undefined && typeof from === 'number' ? from : undefined;
    const topic = this.#topic;
    const bounds = await waitForTopic({
      kafka: this.#kafka,
      topic,
      sinceMs,
      say: complain,
      signal,
    });
    if (before !== undefined) {
      complain(`resumed reading ${topic}`);
      return resumedPositions(bounds, this.#options, before);
    }
    // A topic that did not exist at the start is all new: none of its events are skipped.
    const wanted = { from: bounds.appeared ? 'beginning' : from, partitions } as const;
    const first = firstPositions(bounds, wanted);
    const source = { topic, brokers: this.#brokers };
    for (const line of describeFirst(source, bounds, wanted)) complain(line);
    return first;
  }

  /** Reports the failure, and pauses before the next attempt. */
  async #interrupted(failure: Error, signal: AbortSignal): Promise<void> {
    const obstacle = obstacleOf(failure);
    const reason = reasonOf(failure);
    if (!TRANSIENT.has(obstacle)) {
      throw new StartError(describe(obstacle, this.#topic, reason), EXIT.failed);
    }
    const why = obstacle === 'uncoordinated' ? describe(obstacle, this.#topic, reason) : reason;
    complain(`reading interrupted (${why})`);
    await sleep(PAUSE_MS, undefined, { signal });
  }
}

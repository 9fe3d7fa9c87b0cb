import type { Config } from '../config/config.ts';
import type { ToPrimary } from '../ipc.ts';
import { kafkaOptions } from '../kafka/client-options.ts';
import type { Logger } from '../logging/logger.ts';
import { creationOf, declaredCreation } from '../streams/topic-creation.ts';
import type { Topic } from './accumulator/topic.ts';
import type { Faults } from './faults.ts';
import type { Reporter } from './reporter.ts';
import type { StreamDeclarations } from './streams/create-streams.ts';

export interface TopicAdministrationParts {
  /** The latest ones received. */
  declarations(): StreamDeclarations;
  readonly reporter: Pick<Reporter, 'topicCreation'>;
  readonly log: Logger;
  readonly faults: Faults;
  /** Sends to the primary. */
  send(message: ToPrimary): Promise<void>;
  /** Makes the producer ask for the topics again. */
  refresh(): void;
}

/** Creates topics that are missing, and describes all, at the request of the primary. */
export class TopicAdministration {
  readonly #config: Config;
  readonly #parts: TopicAdministrationParts;
  /** Topics that are being created or described. */
  readonly #running = new Set<Topic>();

  constructor(config: Config, parts: TopicAdministrationParts) {
    this.#config = config;
    this.#parts = parts;
  }

  /** Returns whether a stream has the topic, in the latest version received. */
  isDeclared({ name }: Pick<Topic, 'name'>): boolean {
    return this.#parts.declarations().file.streams.some(({ topic }) => topic === name);
  }

  /** Creates a topic if it is missing, and sends its facts; once at a time. */
  async administer(topic: Topic): Promise<void> {
    if (this.#running.has(topic)) return;
    this.#running.add(topic);
    const config = this.#config;
    const { declarations, reporter, log, faults, send, refresh } = this.#parts;
    // Loaded on demand: it requires all of kafkajs, which would delay the start of each worker.
    const { administerTopic } = await import('./producer/topic-admin.ts');
    const facts = await administerTopic({
      kafka: kafkaOptions(config),
      topic: topic.name,
      creation: () => creationOf(topic.name, declarations().file, config),
      declared: () => {
        const { file, areDeclared } = declarations();
        return areDeclared ? declaredCreation(topic.name, file) : undefined;
      },
      isWanted: () => this.isDeclared(topic),
      isDeclared: declarations().areDeclared,
      isMissing: () => topic.state === 'missing',
      creationFailed: (reason) => {
        if (topic.required) reporter.topicCreation(topic.name, reason);
      },
      log,
      faults,
    });
    this.#running.delete(topic);
    reporter.topicCreation(topic.name, undefined);
    if (facts === undefined) return;
    await send({ type: 'topicFacts', facts });
    refresh();
  }
}

import { EXIT, StartError } from '../common/errors.ts';
import type { StreamFile } from '../streams/stream-file.ts';

/**
 * Roles of the topics since the start: a topic has events of clients, or dead letters. Workers tell
 * the results of their batches apart by that, and frames that have begun keep their streams.
 */
export class TopicRoles {
  /** Whether a topic is one of an internal stream. */
  readonly #isInternal = new Map<string, boolean>();

  /** @throws StartError if a topic had the other role */
  check({ streams }: StreamFile): void {
    const changed = streams.find(
      ({ topic, internal }) => (this.#isInternal.get(topic) ?? internal) !== internal,
    );
    if (changed !== undefined) {
      const { name, topic, internal } = changed;
      const before = internal ? 'was written by clients' : 'had dead letters';
      const message = `streams.${name}.topic: ${topic} ${before} since the start of this gateway`;
      throw new StartError(`${message}; restart it for the change`, EXIT.configuration);
    }
  }

  /** Records the roles of a file that is used. */
  add({ streams }: StreamFile): void {
    for (const { topic, internal } of streams) this.#isInternal.set(topic, internal);
  }
}

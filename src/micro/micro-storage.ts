import type { Config } from '../config/config.ts';
import type { Counters } from '../metrics/counters.ts';
import { declaredStreamAt } from '../metrics/slots.ts';
import { DEFAULT_STREAM } from '../streams/stream-file.ts';
import { declaredCreation } from '../streams/topic-creation.ts';
import type { EventStorage, ProducerParts } from '../worker/event-storage.ts';
import type { EventProducer } from '../worker/producer/event-producer.ts';
import type { Rejections } from '../worker/wire.ts';
import type { EventLog } from './event-log.ts';
import { LogProducer } from './log-producer.ts';

/** Stores the events of a worker in the log of `forebay micro`. */
export class MicroStorage implements EventStorage {
  readonly #log: EventLog;
  readonly #partitions: number;
  #counters: Counters | undefined;

  constructor(log: EventLog, { kafkaTopicPartitions }: Pick<Config, 'kafkaTopicPartitions'>) {
    this.#log = log;
    this.#partitions = kafkaTopicPartitions;
  }

  /** Names of all streams; before the start of the worker none. */
  get streams(): readonly string[] {
    return this.#counters?.slots.streams ?? [];
  }

  createProducer(parts: ProducerParts): EventProducer {
    return new LogProducer(parts, this.#log, (topic) => {
      const { partitions = this.#partitions } = declaredCreation(topic, parts.file()) ?? {};
      return partitions;
    });
  }

  rejections(counters: Counters): Rejections {
    this.#counters = counters;
    return {
      rejected: (cells, code, message, value, events = 1) => {
        const stream = declaredStreamAt(counters.slots, cells) ?? DEFAULT_STREAM;
        this.#log.reject(stream, code, message, events, value);
      },
    };
  }
}

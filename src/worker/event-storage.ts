import type { Counters } from '../metrics/counters.ts';
import type { StreamFile } from '../streams/stream-file.ts';
import type { DeliveryListener } from './producer/delivery-listener.ts';
import type { EventProducer } from './producer/event-producer.ts';
import type { TopicListener } from './producer/topic-listener.ts';
import type { EventBuffer, Rejections, Reporting } from './wire.ts';

/** Parts of a worker that a producer connects. */
export interface ProducerParts extends EventBuffer, Reporting {
  /** Receives the result of each batch. */
  readonly deliveries: DeliveryListener;
  readonly topicListener: TopicListener;
  /** Returns the streams, in the latest version received. */
  readonly file: () => StreamFile;
}

/** Storage of events in place of Kafka. */
export interface EventStorage {
  /** Creates the producer that drains the buffer of a worker. */
  createProducer(parts: ProducerParts): EventProducer;
  /** Returns the observer of a worker's rejections. */
  rejections(counters: Counters): Rejections;
}

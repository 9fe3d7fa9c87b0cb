import type { Config } from '../config/config.ts';
import {
  DEFAULT_STREAM,
  PLAIN_RECORDS,
  REFUSE,
  type StreamFile,
  type StreamSchema,
  type TopicCreation,
} from './stream-file.ts';

export type ImplicitStreamSettings = Pick<
  Config,
  'kafkaTopic' | 'kafkaCreateTopic' | 'keyField' | 'idField' | 'eventSchema'
>;

const FROM_SETTINGS: TopicCreation = { partitions: undefined, replication: undefined, config: {} };

/**
 * Returns the stream of an installation without a stream file: all events go to one topic. Its
 * schema is the built-in one unless a setting names another, and the settings for the creation of
 * the topic apply. Its records have no headers.
 */
export function implicitStream({
  kafkaTopic,
  kafkaCreateTopic,
  keyField,
  idField,
  eventSchema,
}: ImplicitStreamSettings): StreamFile {
  return {
    routing: { field: undefined, unknown: REFUSE },
    deadLetter: undefined,
    streams: [
      {
        name: DEFAULT_STREAM,
        topic: kafkaTopic,
        match: [],
        create: kafkaCreateTopic ? FROM_SETTINGS : undefined,
        schema: eventSchema === undefined ? undefined : enforced(eventSchema),
        key: [keyField.split('.')],
        record: { ...PLAIN_RECORDS, idField: idField.split('.') },
        limits: { eventBytes: undefined, eventsPerSecond: undefined, bufferShare: 1 },
        origins: undefined,
        access: 'open',
        plain: 'accept',
        deadLetter: undefined,
        internal: false,
        owner: undefined,
        required: true,
      },
    ],
  };
}

function enforced(file: string): StreamSchema {
  return { file, text: undefined, mode: 'enforce', candidate: undefined };
}

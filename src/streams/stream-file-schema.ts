/**
 * The structure of the stream file, as a JSON Schema (draft 2020-12): the only declaration of its
 * properties. docs/streams.schema.json, from which editors complete and check a file, derives from
 * it, and so do the messages about a wrong structure. `errorMessage` continues "the property …"; it
 * is an annotation that editors show too.
 */
import { LIMITS } from '../config/limits.ts';
import { FIELD_PATH, TOPIC_NAME } from '../config/setting-kinds.ts';
import { oneOf, text, wholeNumber } from './property-kinds.ts';
import { RECORD_PROPERTIES, REGISTRY_PROPERTIES } from './record-properties.ts';
import { HEADER_NAMES, SCHEMA_MODES, STREAM_NAME } from './stream-file.ts';

const { bufferShareMin, keyFields, matchValues } = LIMITS.streamFile;

const KEY_FORMS = 'must be none, { field: name } or { fields: [name, name] }';

const STREAM = {
  type: 'object',
  title: 'Stream',
  description: 'A name that clients use, with the handling of its events.',
  additionalProperties: false,
  required: ['topic'],
  properties: {
    topic: {
      ...text(TOPIC_NAME),
      title: 'Topic',
      description: 'Topic that the events are written to. Several streams may share one.',
    },
    match: {
      type: 'array',
      title: 'Values of the routing field',
      description:
        'Events whose field `routing.field` has one of these values belong to the stream. A value ' +
        'belongs to one stream only.',
      items: { type: 'string' },
      minItems: 1,
      maxItems: matchValues,
    },
    create: {
      type: 'object',
      title: 'Creation of the topic',
      description:
        'Creates the topic if it does not exist; {} uses the settings. Changes nothing about a ' +
        'topic that exists. Without it, a missing topic is not created.',
      additionalProperties: false,
      properties: {
        partitions: {
          ...wholeNumber(1, LIMITS.topicPartitions),
          title: 'Partitions',
          description: 'Number of partitions [KAFKA_TOPIC_PARTITIONS].',
        },
        replication: {
          type: 'integer',
          minimum: -1,
          maximum: LIMITS.topicReplication,
          not: { const: 0 },
          errorMessage: `must be a whole number from 1 to ${LIMITS.topicReplication}, or -1`,
          title: 'Replication factor',
          description:
            'Copies of each partition; -1 = as the broker says [KAFKA_TOPIC_REPLICATION].',
        },
        config: {
          type: 'object',
          title: 'Configuration of the topic',
          description: 'Properties of the topic, such as retention.ms [those of the broker].',
          propertyNames: {
            pattern: '^[a-z][a-z0-9._-]{0,99}$',
            errorMessage: 'must be a topic property such as retention.ms',
          },
          additionalProperties: { type: ['string', 'number', 'boolean'] },
        },
      },
    },
    schema: {
      type: 'object',
      title: 'JSON Schema of the events',
      description: 'Without it, any object is valid.',
      additionalProperties: false,
      anyOf: [{ required: ['file'] }, { required: ['subject'] }],
      errorMessage: 'must have a file or a subject',
      properties: {
        file: {
          type: 'string',
          minLength: 1,
          errorMessage: 'must be the path of a file',
          title: 'File',
          description: 'Path of the schema; a relative one starts at the folder of this file.',
        },
        ...REGISTRY_PROPERTIES,
        mode: {
          ...oneOf(...SCHEMA_MODES),
          title: 'Mode',
          description:
            'Events that do not match: enforce = they are rejected; warn = they are stored with the ' +
            'header fb-schema-error, and counted; off = they are not looked for [enforce].',
        },
        candidate: {
          type: 'string',
          minLength: 1,
          errorMessage: 'must be the path of a file',
          title: 'Candidate',
          description:
            'Path of a schema that is evaluated too, for a sample of the events, and only counted ' +
            '[none].',
        },
      },
    },
    key: { $ref: '#/$defs/key' },
    headers: { $ref: '#/$defs/headers' },
    ...RECORD_PROPERTIES,
    limits: {
      type: 'object',
      title: 'Limits',
      description: 'Limits in each worker.',
      additionalProperties: false,
      properties: {
        eventBytes: {
          ...wholeNumber(1, LIMITS.frameBytes),
          title: 'Bytes of an event',
          description: 'Maximum size of an event, above it too_large [FOREBAY_MAX_FRAME_BYTES].',
        },
        eventsPerSecond: {
          ...wholeNumber(1, LIMITS.keyRate),
          title: 'Events per second',
          description: 'Maximum rate, above it rate_limited [no limit].',
        },
        bufferShare: {
          type: 'number',
          minimum: bufferShareMin,
          maximum: 1,
          errorMessage: `must be a number from ${bufferShareMin} to 1`,
          title: 'Share of the buffer',
          description:
            'Maximum share of FOREBAY_BUFFER_BYTES that the events of this stream may hold, above ' +
            'it buffer_full [1 for a single stream, otherwise 0.5; 0.1 if internal].',
        },
      },
    },
    origins: {
      type: 'array',
      title: 'Origins',
      description:
        'Origins of web pages that may write to the stream, out of those of FOREBAY_ORIGINS; [] = ' +
        'no page [every origin of FOREBAY_ORIGINS].',
      items: { type: 'string' },
    },
    access: {
      ...oneOf('keyed', 'open'),
      title: 'Access',
      description:
        'keyed = clients need an API key or a JWT; open = they need none [keyed if ' +
        'FOREBAY_KEYS_FILE or a JWKS is configured, otherwise open].',
    },
    plain: {
      ...oneOf('accept', 'refuse'),
      title: 'Plain clients',
      description: 'Whether clients without acknowledgments may write to the stream [accept].',
    },
    deadLetter: { $ref: '#/$defs/deadLetter' },
    internal: {
      type: 'boolean',
      title: 'Internal',
      description:
        'Whether only Forebay itself writes to the stream, such as dead letters: no client can name ' +
        'it [false].',
    },
    owner: {
      type: 'string',
      pattern: '^[^\\p{C}\\p{Zl}\\p{Zp}]{1,100}$',
      errorMessage: 'must be 1 to 100 printable characters',
      title: 'Owner',
      description: 'Team or contact, shown to operators and in alerts [none].',
    },
    required: {
      type: 'boolean',
      title: 'Required for readiness',
      description:
        'Whether the gateway is ready only while it can write to the stream [true; false if ' +
        'internal].',
    },
  },
} as const;

export const STREAM_FILE_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Stream file of Forebay',
  description: 'The streams of a gateway, in YAML or JSON: the file of FOREBAY_STREAMS_FILE.',
  type: 'object',
  additionalProperties: false,
  required: ['version', 'streams'],
  properties: {
    version: {
      const: 1,
      errorMessage: 'must be 1',
      title: 'Version of the format',
      description: 'Always 1.',
    },
    routing: {
      type: 'object',
      title: 'Routing by content',
      description: 'Selects the stream of an event whose path names none.',
      additionalProperties: false,
      properties: {
        field: {
          ...text(FIELD_PATH),
          title: 'Routing field',
          description:
            'Field whose value selects the stream by its `match`; user.kind = the field kind of ' +
            'the object user [no routing by content].',
        },
        unknown: {
          ...text(STREAM_NAME),
          title: 'Unknown values',
          description:
            'Events whose routing field matches no stream: refuse = they are rejected with ' +
            'unknown_stream; otherwise the name of their stream [refuse].',
        },
      },
    },
    defaults: {
      type: 'object',
      title: 'Defaults',
      description: 'Values for streams that do not have their own.',
      additionalProperties: false,
      properties: {
        key: { $ref: '#/$defs/key' },
        headers: { $ref: '#/$defs/headers' },
        deadLetter: { $ref: '#/$defs/deadLetter' },
      },
    },
    streams: {
      type: 'object',
      title: 'Streams',
      description:
        'The streams by name: up to 64 lower-case letters, digits, _ and -. The stream named ' +
        'default receives the events that nothing else assigns to a stream.',
      propertyNames: {
        pattern: STREAM_NAME.pattern.source,
        errorMessage: `must be ${STREAM_NAME.expected}`,
      },
      minProperties: 1,
      maxProperties: LIMITS.streams,
      additionalProperties: { $ref: '#/$defs/stream' },
    },
  },
  $defs: {
    stream: STREAM,
    deadLetter: {
      ...text(STREAM_NAME),
      title: 'Dead letters',
      description:
        'Internal stream that also receives the events that are rejected for good ' +
        '[defaults.deadLetter, otherwise none]. That of the defaults also receives events that ' +
        'belong to no stream.',
    },
    headers: {
      type: 'array',
      title: 'Record headers',
      description:
        'Headers of the records; they are written in a fixed order [defaults.headers, otherwise ' +
        'none].',
      items: oneOf(...HEADER_NAMES),
      uniqueItems: true,
    },
    key: {
      title: 'Record key',
      description:
        'Fields whose values become the key of the record: events with equal keys keep their ' +
        'order [defaults.key, otherwise FOREBAY_KEY_FIELD].',
      anyOf: [
        { const: 'none', description: 'Records have no key.' },
        { type: 'object', description: 'The field, or the fields that are joined.' },
      ],
      type: ['string', 'object'],
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 1,
      properties: {
        field: {
          ...text(FIELD_PATH),
          title: 'Field',
          description: 'Name of the field; user.id = the field id of the object user.',
        },
        fields: {
          type: 'array',
          title: 'Fields',
          description: 'Names of the fields whose values are joined to one key.',
          items: text(FIELD_PATH),
          minItems: 1,
          maxItems: keyFields,
          uniqueItems: true,
        },
      },
      errorMessage: KEY_FORMS,
    },
  },
} as const;

/** Text of docs/streams.schema.json. */
export function streamFileSchemaText(): string {
  return `${JSON.stringify(STREAM_FILE_SCHEMA, undefined, 2)}\n`;
}

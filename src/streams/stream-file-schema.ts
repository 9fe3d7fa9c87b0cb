/**
 * The structure of the stream file, as a JSON Schema (draft 2020-12): the only declaration of its
 * properties. docs/streams.schema.json, from which editors complete and check a file, derives from
 * it, and so do the messages about a wrong structure. `errorMessage` continues "the property …"; it
 * is an annotation that editors show too.
 */
import { LIMITS } from '../config/limits.ts';
import { FIELD_PATH, TOPIC_NAME } from '../config/setting-kinds.ts';
import { HEADER_NAMES, STREAM_NAME, TIME_UNITS } from './stream-file.ts';

const { bufferShareMin, keyFields, matchValues, timeSpanMs } = LIMITS.streamFile;

const TIME_FORMS = 'must be arrival or { field: name }';
const KEY_FORMS = 'must be none, { field: name } or { fields: [name, name] }';

/** A whole number from `minimum` to `maximum`. */
function wholeNumber(minimum: number, maximum: number) {
  const errorMessage = `must be a whole number from ${minimum} to ${maximum}`;
  return { type: 'integer', minimum, maximum, errorMessage };
}

/** A text that matches `pattern`. */
function text({ pattern, expected }: { pattern: RegExp; expected: string }) {
  return { type: 'string', pattern: pattern.source, errorMessage: `must be ${expected}` };
}

function oneOf(...values: readonly string[]) {
  const last = values.at(-1);
  const others = values.slice(0, -1).join(', ');
  return { enum: values, errorMessage: `must be ${others} or ${last}` };
}

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
      description: 'Events that do not match it are rejected. Without it, any object is valid.',
      additionalProperties: false,
      required: ['file'],
      properties: {
        file: {
          type: 'string',
          minLength: 1,
          errorMessage: 'must be the path of a file',
          title: 'File',
          description: 'Path of the schema; a relative one starts at the folder of this file.',
        },
      },
    },
    key: { $ref: '#/$defs/key' },
    headers: { $ref: '#/$defs/headers' },
    idField: {
      ...text(FIELD_PATH),
      title: 'Field of the id',
      description: 'Field with the id of an event, for the header event-id [FOREBAY_ID_FIELD].',
    },
    traceField: {
      ...text(FIELD_PATH),
      title: 'Field of the trace context',
      description:
        'Field with the W3C traceparent of an event, which takes precedence over that of its ' +
        'request [none].',
    },
    time: {
      title: 'Timestamp',
      description: 'Timestamp of the records: the time of arrival, or a field [arrival].',
      anyOf: [
        { const: 'arrival', description: 'The time of arrival.' },
        { type: 'object', description: 'A field of the event.' },
      ],
      type: ['string', 'object'],
      additionalProperties: false,
      required: ['field'],
      properties: {
        field: {
          ...text(FIELD_PATH),
          title: 'Field',
          description:
            'Field with the time of the event; user.at = the field at of the object user.',
        },
        unit: {
          ...oneOf(...TIME_UNITS),
          title: 'Unit',
          description:
            'Unit of a number, since 1970-01-01 UTC; iso = a text such as 2026-01-31T12:00:00Z ' +
            '[ms].',
        },
        pastMs: {
          ...wholeNumber(0, timeSpanMs),
          title: 'Maximum age',
          description: 'Milliseconds before the arrival; an older time does not count [432000000].',
        },
        futureMs: {
          ...wholeNumber(0, timeSpanMs),
          title: 'Maximum time ahead',
          description: 'Milliseconds after the arrival; a later time does not count [300000].',
        },
      },
      errorMessage: TIME_FORMS,
    },
    ip: {
      ...oneOf('truncated', 'full'),
      title: 'Precision of client addresses',
      description:
        'Header client-ip: truncated = the /24 network of an IPv4 address, the /48 of an IPv6 ' +
        'one; full = the address [truncated].',
    },
    value: {
      ...oneOf('json', 'as-sent'),
      title: 'Stored format',
      description:
        'json = MessagePack is stored as JSON; as-sent = each event as it was sent, with the header ' +
        'content-type [json].',
    },
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
            'it buffer_full [1 for a single stream, otherwise 0.5].',
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
      description: 'Whether the gateway is ready only while it can write to the stream [true].',
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
      properties: { key: { $ref: '#/$defs/key' }, headers: { $ref: '#/$defs/headers' } },
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

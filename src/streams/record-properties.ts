/** Properties of a stream that concern the form of its records; see stream-file-schema.ts. */
import { LIMITS } from '../config/limits.ts';
import { FIELD_PATH } from '../config/setting-kinds.ts';
import { oneOf, text, wholeNumber } from './property-kinds.ts';
import { FRAMINGS, TIME_UNITS } from './stream-file.ts';

const { timeSpanMs } = LIMITS.streamFile;

const VERSION_MAX = 2 ** 31 - 1;

const TIME_FORMS = 'must be arrival or { field: name }';

export const RECORD_PROPERTIES = {
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
        description: 'Field with the time of the event; user.at = the field at of the object user.',
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
} as const;

/** Properties of a schema in a registry. */
export const REGISTRY_PROPERTIES = {
  subject: {
    type: 'string',
    pattern: '^[^\\p{C}\\p{Zl}\\p{Zp}]{1,249}$',
    errorMessage: 'must be 1 to 249 printable characters',
    title: 'Subject',
    description: 'Subject of the schema in the registry of FOREBAY_SCHEMA_REGISTRY_URL.',
  },
  version: {
    anyOf: [
      { const: 'latest', description: 'The latest version, also a later one.' },
      { type: 'integer', minimum: 1, maximum: VERSION_MAX, description: 'This version.' },
    ],
    errorMessage: `must be latest or a whole number from 1 to ${VERSION_MAX}`,
    title: 'Version',
    description: 'Version of the subject [latest].',
  },
  framing: {
    ...oneOf(...FRAMINGS),
    title: 'Framing',
    description:
      'Identity of the schema in the records, for deserializers: raw = none; prefix = a zero byte ' +
      'and the id of the schema before the value; header = the header __value_schema_id [raw].',
  },
} as const;

/** Media types and content encodings of bodies. */
import { REQUEST_CODES } from '../../../common/errors.ts';
import type { DecodeBounds } from '../../decoder/decode-bounds.ts';
import type { EventCounter, EventSink } from '../../decoder/event-sink.ts';
import { countEvents } from '../../decoder/json/count-events.ts';
import { type SlicedDecoder, sliceNdjson, sliceTextBody } from '../../decoder/json/slices.ts';
import { countLines, decodeNdjson, decodeTextBody } from '../../decoder/json/text.ts';
import { countMsgpackEvents, decodeMsgpack, sliceMsgpack } from '../../decoder/msgpack/msgpack.ts';
import type { HttpRequest } from '../transport/transport.ts';
import { ENCODINGS, type Encoding } from './inflate.ts';
import { errorResponse, type ResponseContent } from './responses.ts';

/**
 * The decoders of a media type: one-shot for short bodies, sliced for long ones, with equal
 * results; and the counter of bodies that are not decoded.
 */
export interface MediaType {
  /** @returns number of received events, including rejected ones */
  decode(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number;
  readonly decodeInSlices: SlicedDecoder;
  readonly countEvents: EventCounter;
}

const JSON_TEXT: MediaType = {
  decode: decodeTextBody,
  decodeInSlices: sliceTextBody,
  countEvents,
};
const NDJSON: MediaType = {
  decode: decodeNdjson,
  decodeInSlices: sliceNdjson,
  countEvents: countLines,
};
const MSGPACK: MediaType = {
  decode: decodeMsgpack,
  decodeInSlices: sliceMsgpack,
  countEvents: countMsgpackEvents,
};

/** Documented names; '' = no Content-Type. */
const MEDIA_TYPES: Readonly<Record<string, MediaType>> = {
  '': JSON_TEXT,
  'application/json': JSON_TEXT,
  'text/plain': JSON_TEXT,
  'application/x-ndjson': NDJSON,
  'application/msgpack': MSGPACK,
};
const TOKEN = "[!#$%&'*+.^_`|~0-9a-z-]+";
/** Synonyms in use by clients, and every type with the JSON suffix (RFC 6839). */
const SYNONYMS: readonly (readonly [RegExp, MediaType])[] = [
  [new RegExp(`^${TOKEN}/${TOKEN}\\+json$`), JSON_TEXT],
  [/^(application\/x-|text\/(x-)?)json$/, JSON_TEXT],
  [/^(application|text)\/(x-)?(ndjson|jsonl|jsonlines|json-lines)$/, NDJSON],
  [/^application\/(x-|vnd\.)?(msgpack|messagepack)$/, MSGPACK],
];

/** ASCII is UTF-8; '' = empty name. */
const UTF8 = new Set(['', 'utf-8', 'utf8', 'us-ascii', 'ascii']);
/** Longer names are truncated in messages. */
const CHARSET_LENGTH_MAX = 40;
/** `;name=value`, with an optionally quoted value. */
const PARAMETER = /;\s*([^=;\s]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^;]*)/g;

const CONTENT_ENCODING = 'content-encoding';
/** RFC 9110: x-gzip is equivalent to gzip. */
const ENCODING_NAMES: Readonly<Record<string, Encoding>> = {
  'x-gzip': 'gzip',
  ...Object.fromEntries(ENCODINGS.map((name) => [name, name])),
};

const { text: UNSUPPORTED } = REQUEST_CODES.unsupported_media_type;
const TYPES = Object.keys(MEDIA_TYPES).filter(Boolean).join(', ');
const ACCEPT = { Accept: TYPES };
const ENCODING_LIST = ENCODINGS.join(', ');
const ACCEPT_ENCODING = { 'Accept-Encoding': ENCODING_LIST };

/** Lists the supported types: curl -d, for one, sends an unsupported one. */
const UNSUPPORTED_TYPE = unsupported(`send ${TYPES} or no type`, ACCEPT);
const UNSUPPORTED_ENCODING = unsupported(
  `send ${ENCODING_LIST} or no Content-Encoding`,
  ACCEPT_ENCODING,
);
const SEVERAL_ENCODINGS = unsupported(`send one of ${ENCODING_LIST}, not several`, ACCEPT_ENCODING);

function unsupported(wanted: string, headers: Readonly<Record<string, string>>): ResponseContent {
  return errorResponse(415, 'unsupported_media_type', `${UNSUPPORTED}: ${wanted}`, headers);
}

/**
 * Returns the decoders for a body's type, or the response that rejects it.
 * @param contentType the header, '' when absent
 */
export function mediaTypeOf(contentType: string): MediaType | ResponseContent {
  const type = contentType.split(';')[0]!.trim().toLowerCase();
  const media = Object.hasOwn(MEDIA_TYPES, type)
    ? MEDIA_TYPES[type]
    : SYNONYMS.find(([pattern]) => pattern.test(type))?.[1];
  if (media === undefined) return UNSUPPORTED_TYPE;
  const charset = media === MSGPACK ? undefined : unsupportedCharset(contentType);
  if (charset === undefined) return media;
  return unsupported(`charset ${charset.slice(0, CHARSET_LENGTH_MAX)}: send UTF-8`, ACCEPT);
}

/** Returns the first `charset` that is not UTF-8. */
function unsupportedCharset(contentType: string): string | undefined {
  if (!contentType.includes(';')) return undefined;
  for (const [, name = '', value = ''] of contentType.matchAll(PARAMETER)) {
    if (name.toLowerCase() !== 'charset') continue;
    const charset = value.trim().replace(/^(["'])(.*)\1$/, '$2');
    if (!UTF8.has(charset.toLowerCase())) return charset;
  }
  return undefined;
}

/** Returns the encoding of a body, or the response that rejects it. */
export function encodingOf(request: HttpRequest): Encoding | 'identity' | ResponseContent {
  if (request.getHeader(CONTENT_ENCODING) === '') return 'identity';
  const [name, ...others] = encodingNames(request);
  if (name === undefined) return 'identity';
  if (others.length > 0) return SEVERAL_ENCODINGS;
  return Object.hasOwn(ENCODING_NAMES, name) ? ENCODING_NAMES[name]! : UNSUPPORTED_ENCODING;
}

/** Returns the encodings except identity; several headers form one list. */
function encodingNames(request: HttpRequest): string[] {
  const names: string[] = [];
  request.forEach((header, value) => {
    if (header !== CONTENT_ENCODING) return;
    for (const name of value.split(',')) names.push(name.trim().toLowerCase());
  });
  return names.filter((name) => name !== '' && name !== 'identity');
}

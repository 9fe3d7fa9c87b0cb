/** What a body may be: media types, and content encodings. */
import { REQUEST_CODES } from '../../errors.ts';
import { decodeMsgpack, sliceMsgpack } from '../decoder/msgpack.ts';
import type { DecodeBounds, EventSink } from '../decoder/sink.ts';
import { type SlicedDecoder, sliceNdjson, sliceTextBody } from '../decoder/slices.ts';
import { decodeNdjson, decodeTextBody } from '../decoder/text.ts';
import { type Answer, errorAnswer } from './answers.ts';

/** How a body is taken apart: a short one at once, a long one in slices, to the same outcome. */
export interface Media {
  /** @returns how many events were received, refused ones included */
  atOnce(bytes: Buffer, bounds: DecodeBounds, sink: EventSink): number;
  readonly inSlices: SlicedDecoder;
}

const TEXT: Media = { atOnce: decodeTextBody, inSlices: sliceTextBody };
const LINES: Media = { atOnce: decodeNdjson, inSlices: sliceNdjson };
const PACKED: Media = { atOnce: decodeMsgpack, inSlices: sliceMsgpack };

/** By media type; '' = none given. */
const MEDIA: Readonly<Record<string, Media>> = {
  '': TEXT,
  'application/json': TEXT,
  'text/plain': TEXT,
  'application/x-ndjson': LINES,
  'application/msgpack': PACKED,
};
/** RFC 9110: x-gzip is the same as gzip. By content encoding; '' = none given. */
const GZIP: Readonly<Record<string, boolean>> = {
  '': false,
  identity: false,
  gzip: true,
  'x-gzip': true,
};

/** @param contentType the header, '' when absent */
export function mediaOf(contentType: string): Media | undefined {
  return lookUp(MEDIA, contentType.split(';')[0]!);
}

/** Whether a body is packed; undefined = in a way that is not taken. */
export function isGzip(contentEncoding: string): boolean | undefined {
  return lookUp(GZIP, contentEncoding);
}

/** The client's text names nothing but what is there. */
function lookUp<T>(table: Readonly<Record<string, T>>, text: string): T | undefined {
  const name = text.trim().toLowerCase();
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

const { text: UNSUPPORTED } = REQUEST_CODES.unsupported_media_type;
const TYPES = Object.keys(MEDIA).filter(Boolean).join(', ');

/** They name what is taken: curl -d, for one, sends a type that is not. */
export const UNSUPPORTED_TYPE: Answer = errorAnswer(
  415,
  'unsupported_media_type',
  `${UNSUPPORTED}: send ${TYPES} or no type`,
  { Accept: TYPES },
);
export const UNSUPPORTED_ENCODING: Answer = errorAnswer(
  415,
  'unsupported_media_type',
  `${UNSUPPORTED}: send gzip or no Content-Encoding`,
  { 'Accept-Encoding': 'gzip' },
);

/** Streams, routes and decoding of a replay: those of a worker, for the events of dead letters. */

import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { EVENT_CODES, type EventCode } from '../../common/errors.ts';
import { parseAddress, siteOf } from '../../common/ip-addresses.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { KIND, KINDS } from '../../common/msgpack-types.ts';
import { LIMITS } from '../../config/limits.ts';
import type { DeadLetter } from '../../kafka/dead-letter.ts';
import { lastHeader } from '../../kafka/record-headers.ts';
import {
  HEADER_NAMES,
  type HeaderName,
  type StreamFile,
  type StreamSpec,
} from '../../streams/stream-file.ts';
import { Identity } from '../../worker/admission/identity.ts';
import type { EventSink } from '../../worker/decoder/event-sink.ts';
import { emitText } from '../../worker/decoder/json/emit.ts';
import { isJson } from '../../worker/decoder/json/json-grammar.ts';
import { skipBlank, trimmedEnd } from '../../worker/decoder/json/json-scanner.ts';
import { decodeTextBody } from '../../worker/decoder/json/text.ts';
import { decodeMsgpack } from '../../worker/decoder/msgpack/msgpack.ts';
import { RECORD_NAMES } from '../../worker/streams/header-encoder.ts';
import { headerText } from '../../worker/streams/header-text.ts';
import { type Facts, Provenance } from '../../worker/streams/provenance.ts';
import type { Route } from '../../worker/streams/route.ts';
import type { Stream, StreamRejection } from '../../worker/streams/stream.ts';
import type { StreamTable } from '../../worker/streams/stream-table.ts';

/** Settings on which decoding depends. */
export interface DecodeSettings {
  readonly maxFrameBytes: number;
  readonly maxEventDepth: number;
}

/**
 * Returns the streams as a replay to the stream `name` needs them: without dead letters, and
 * without the schemas of the others; the stream itself without a candidate schema and limits on its
 * rate and memory, and with headers that mark a possible repeat and repeat the address as the dead
 * letter has it.
 */
export function streamsForReplay(file: StreamFile, name: string): StreamFile {
  const streams = file.streams.map((spec): StreamSpec => {
    if (spec.name !== name) return { ...spec, schema: undefined, deadLetter: undefined };
    const { record, limits, schema } = spec;
    const names = new Set([...record.headers, 'resent']);
    const headers = HEADER_NAMES.filter((header) => names.has(header));
    return {
      ...spec,
      deadLetter: undefined,
      schema: schema && { ...schema, candidate: undefined },
      record: { ...record, headers, ip: 'full' },
      limits: { ...limits, eventsPerSecond: undefined, bufferShare: 1 },
    };
  });
  return { ...file, deadLetter: undefined, streams };
}

/** Sender of replayed events: an operator, with permission for every stream. */
const OPERATOR = {
  identity: new Identity('replay', Number.POSITIVE_INFINITY),
  origin: '',
  plain: false,
} as const;

/**
 * Returns the route of dead letters that name the stream, and of those that name none: these go
 * where the gateway would route them now, if their senders named no stream.
 */
export function routesTo(table: StreamTable, name: string): { named: Route; unnamed: Route } {
  const stream = table.find(name);
  assert(stream !== undefined, 'the stream exists');
  const named = table.routeOf(name, OPERATOR);
  return { named, unnamed: new FilteredRoute(table.routeOf(undefined, OPERATOR), stream) };
}

/** Leads to one stream, as far as another route does. */
class FilteredRoute implements Route {
  readonly stream = undefined;
  readonly fastValidator = undefined;
  readonly buffer = undefined;
  readonly deadLetter = undefined;
  readonly copiesUndecoded = false;
  readonly keepsSent: boolean;
  readonly names: readonly string[];
  readonly #inner: Route;
  readonly #target: Stream;

  constructor(inner: Route, target: Stream) {
    this.keepsSent = target.format?.keepsSent ?? false;
    this.names = [target.name];
    this.#inner = inner;
    this.#target = target;
  }

  streamOf(event: JsonObject): Stream | StreamRejection {
    return this.#inner.streamOf(event) === this.#target ? this.#target : 'unknown_stream';
  }

  streamAt(): StreamRejection {
    return 'unknown_stream';
  }

  isStreamless(): boolean {
    return false;
  }
}

/** Facts about senders that dead letters state. */
const FACT_NAMES = [
  'traceparent',
  'tracestate',
  'request-id',
  'identity',
  'transport',
  'instance',
  'client-ip',
  'user-agent',
  'origin',
  'referer',
] as const satisfies readonly HeaderName[];

/**
 * Returns the provenance of the events of a dead letter.
 * @param isResent they may be repeats
 * @param ip precision of addresses in the stream
 */
export function provenanceIn(
  { headers }: DeadLetter,
  isResent: boolean,
  ip: StreamSpec['record']['ip'],
): Provenance {
  const facts: Record<string, string> = {};
  for (const name of FACT_NAMES) {
    // An empty fact is omitted, even where the stream has one of its own, such as the instance.
    facts[name] = headerText(lastHeader(headers, RECORD_NAMES[name]) ?? '', maxBytesOf(name));
  }
  const address = ip === 'truncated' ? parseAddress(facts['client-ip'] ?? '') : undefined;
  if (address !== undefined) facts['client-ip'] = siteOf(address);
  return new Provenance(facts as Facts, isResent ? Number.POSITIVE_INFINITY : 0);
}

function maxBytesOf(name: string): number {
  const { tracestateBytes, valueBytes } = LIMITS.recordHeaders;
  return name === 'tracestate' ? tracestateBytes : valueBytes;
}

/**
 * Decodes the value of a dead letter as the gateway would.
 * @returns the number of events, including rejected ones
 */
export function decodeLetter(
  { isMsgpack, isWhole }: DeadLetter,
  value: Buffer,
  { maxFrameBytes: maxEventBytes, maxEventDepth: maxDepth }: DecodeSettings,
  sink: EventSink,
): number {
  const bounds = { maxEvents: LIMITS.bodyEvents, maxEventBytes, maxDepth };
  if (isMsgpack) {
    // An array is a frame of several events, and no event.
    if (!isWhole && KINDS[value[0] ?? 0] === KIND.array)
      return reject(value, 'not_an_object', sink);
    return decodeMsgpack(value, bounds, sink);
  }
  if (isWhole) return decodeTextBody(value, bounds, sink);
  const start = skipBlank(value, 0);
  const end = trimmedEnd(value, start, value.length);
  if (!isUtf8(value)) return reject(value, 'invalid_utf8', sink);
  if (!isJson(value, start, end)) return reject(value, 'invalid_json', sink);
  emitText(0, value, start, end, bounds, sink);
  return 1;
}

/** Rejects a value as one event. @returns 1 */
function reject(value: Buffer, code: EventCode, sink: EventSink): 1 {
  sink.rejectEvent(0, code, EVENT_CODES[code].text, value, 0, value.length);
  return 1;
}

/** Input of the requests to /micro, checked. */
import type { IncomingMessage } from 'node:http';
import { isObject } from '../common/json-object.ts';
import type { Selection } from './event-log.ts';
import type { Expectation } from './expectation.ts';
import { MICRO_LIMITS } from './limits.ts';
import { OUTCOMES } from './log-entry.ts';

/** A request that is not valid; its message says why. */
export class BadRequest extends Error {}

const PARAMETERS = ['stream', 'outcome', 'since', 'limit', 'format'];
const FORMATS = ['json', 'ndjson'] as const;

/** Selection of events, and the form of the response. */
export interface EventsRequest extends Selection {
  readonly format: (typeof FORMATS)[number];
}

const FIELDS = ['stream', 'good', 'bad', 'withinMs'];
const DIGITS = /^(0|[1-9][0-9]{0,15})$/;

/**
 * Reads the query of `GET /micro/events`.
 * @param streams names that exist
 * @throws BadRequest
 */
export function readSelection(url: string, streams: readonly string[]): EventsRequest {
  const query = new URLSearchParams(url.split('?', 2)[1] ?? '');
  for (const name of new Set(query.keys())) {
    if (!PARAMETERS.includes(name)) throw unknown('parameter', name, PARAMETERS);
    if (query.getAll(name).length > 1) throw new BadRequest(`${name} is repeated`);
  }
  const stream = query.get('stream') ?? undefined;
  if (stream !== undefined) demandStream(stream, streams);
  const oneOf = <T extends string>(name: string, known: readonly T[]): T | undefined => {
    const given = query.get(name) ?? undefined;
    const found = known.find((each) => each === given);
    if (found === given) return found;
    throw new BadRequest(`${name} must be one of ${known.join(', ')}`);
  };
  const { default: usual, max, bytes } = MICRO_LIMITS.listed;
  return {
    stream,
    outcome: oneOf('outcome', OUTCOMES),
    since: numberIn(query.get('since'), 'since', 0, Number.MAX_SAFE_INTEGER) ?? 0,
    limit: numberIn(query.get('limit'), 'limit', 1, max) ?? usual,
    bytes,
    format: oneOf('format', FORMATS) ?? 'json',
  };
}

/**
 * Reads the body of `POST /micro/expect`.
 * @param streams names that exist
 * @throws BadRequest
 */
export function readExpectation(body: string, streams: readonly string[]): Expectation {
  let given: unknown;
  try {
    given = JSON.parse(body);
  } catch {
    throw new BadRequest('the body is not valid JSON');
  }
  if (!isObject(given)) throw new BadRequest('the body must be a JSON object');
  for (const name of Object.keys(given)) {
    if (!FIELDS.includes(name)) throw unknown('field', name, FIELDS);
  }
  const { stream } = given;
  if (stream !== undefined) {
    if (typeof stream !== 'string') throw new BadRequest('stream must be a string');
    demandStream(stream, streams);
  }
  const count = (name: 'good' | 'bad') =>
    demandNumber(given[name], name, 0, MICRO_LIMITS.expectedMax);
  const [good, bad] = [count('good'), count('bad')];
  if (good === undefined && bad === undefined) {
    throw new BadRequest('good or bad is required: the expected number of events');
  }
  const { default: usual, max } = MICRO_LIMITS.withinMs;
  const withinMs = demandNumber(given.withinMs, 'withinMs', 0, max) ?? usual;
  return { stream, good, bad, withinMs };
}

/** Reads a small body. @throws BadRequest for a larger one, or if the client disconnects */
export async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    // The response needs the socket.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      bytes += chunk.length;
      if (bytes > MICRO_LIMITS.bodyBytes) break;
      chunks.push(chunk);
    }
  } catch {
    throw new BadRequest('the connection ended within the body');
  }
  if (bytes > MICRO_LIMITS.bodyBytes) {
    throw new BadRequest(`the body is longer than ${MICRO_LIMITS.bodyBytes} bytes`);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function demandStream(name: string, streams: readonly string[]): void {
  if (streams.includes(name)) return;
  throw new BadRequest(`no stream ${JSON.stringify(name)}: there are ${streams.join(', ')}`);
}

function numberIn(text: string | null, name: string, min: number, max: number) {
  if (text === null) return undefined;
  return demandNumber(DIGITS.test(text) ? Number(text) : text, name, min, max);
}

function demandNumber(value: unknown, name: string, min: number, max: number): number | undefined {
  if (value === undefined) return undefined;
  if (Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max) {
    return Number(value);
  }
  throw new BadRequest(`${name} must be a whole number from ${min} to ${max}`);
}

function unknown(kind: string, name: string, known: readonly string[]): BadRequest {
  return new BadRequest(`unknown ${kind} ${JSON.stringify(name)}: known are ${known.join(', ')}`);
}

/**
 * Every rejection code, once: whether to retry, and its HTTP status and WebSocket close code.
 * docs/protocol.md has the same table for clients; a test compares the two.
 */
import { getSystemErrorMap } from 'node:util';
import { printable } from './printable.ts';
import { redacted } from './redact.ts';

/** Rejections of an event or a whole frame, in a `nack` or an HTTP response. */
export const EVENT_CODES = {
  invalid_json: { retry: false, text: 'not valid JSON' },
  invalid_msgpack: { retry: false, text: 'not valid MessagePack, or not representable in JSON' },
  invalid_utf8: { retry: false, text: 'not valid UTF-8' },
  not_an_object: { retry: false, text: 'an event must be a JSON object' },
  schema: { retry: false, text: 'the event does not match the schema' },
  too_large: { retry: false, text: 'the event or frame is too large' },
  too_deep: { retry: false, text: 'the event is nested too deeply' },
  too_many_events: { retry: false, text: 'too many events in one frame' },
  unknown_stream: { retry: false, http: 404, text: 'no such stream, or not for these credentials' },
  forbidden_stream: { retry: false, http: 403, text: 'this client may not write to the stream' },
  rejected_by_kafka: { retry: false, text: 'Kafka rejected this record' },
  rate_limited: { retry: true, text: 'event rate limit exceeded' },
  buffer_full: { retry: true, text: 'the buffer is full' },
  kafka_unavailable: { retry: true, text: 'Kafka cannot be reached' },
  draining: { retry: true, text: 'this instance is shutting down' },
  timeout: { retry: true, text: 'not confirmed in time; it may have been stored' },
} as const;

/** Rejections of a request, an upgrade or a whole connection. */
export const REQUEST_CODES = {
  bad_request: { http: 400, text: 'the request is malformed' },
  unauthorized: { http: 401, ws: 1008, text: 'valid credentials are required' },
  identity_unavailable: { http: 503, text: 'the credentials cannot be verified at the moment' },
  forbidden_origin: { http: 403, text: 'this origin is not allowed' },
  not_found: { http: 404, text: 'unknown path' },
  method_not_allowed: { http: 405, text: 'this method is not allowed here' },
  request_timeout: { http: 408, text: 'the request took too long to arrive' },
  expectation_failed: { http: 417, text: 'only 100-continue is supported' },
  unsupported_media_type: { http: 415, text: 'this content type or encoding is not supported' },
  bad_encoding: { http: 400, text: 'the body does not match its Content-Encoding' },
  too_many_connections: { http: 503, ws: 1013, text: 'connection limit reached' },
  credit_exceeded: { ws: 1008, text: 'credit exceeded' },
  slow_consumer: { ws: 1008, text: 'acknowledgements or pongs are not being read' },
  flooding: { ws: 1013, text: 'too many messages at once' },
  restart: { ws: 1012, text: 'this instance is shutting down' },
  age: { ws: 1012, text: 'maximum connection age reached, reconnect' },
  stream: { ws: 1012, text: 'the stream was removed' },
} as const;

export type EventCode = keyof typeof EVENT_CODES;
export type RequestCode = keyof typeof REQUEST_CODES;
/** Codes after which the same event may be sent again. */
export type RetryCode = {
  [C in EventCode]: (typeof EVENT_CODES)[C]['retry'] extends true ? C : never;
}[EventCode];

export const eventCodes = Object.keys(EVENT_CODES) as EventCode[];
export const requestCodes = Object.keys(REQUEST_CODES) as RequestCode[];
/** Codes of a path or an event without a stream for its sender. */
export const streamCodes = ['unknown_stream', 'forbidden_stream'] as const;
/** Codes of events that dead letters keep: no retry can succeed, and the sender may write. */
export const deadLetterCodes = [
  'invalid_json',
  'invalid_msgpack',
  'invalid_utf8',
  'not_an_object',
  'schema',
  'too_large',
  'too_deep',
  'too_many_events',
  'unknown_stream',
  'rejected_by_kafka',
] as const satisfies readonly EventCode[];
export type DeadLetterCode = (typeof deadLetterCodes)[number];

export function isDeadLetterCode(code: EventCode): code is DeadLetterCode {
  return (deadLetterCodes as readonly EventCode[]).includes(code);
}

export const retryCodes = eventCodes.filter((code) => EVENT_CODES[code].retry) as RetryCode[];

/** Maximum length of a message in a response, in characters; see {@link boundedMessage}. */
const MESSAGE_LENGTH_MAX = 200;

/** Truncates `message` to the maximum length in a response. */
export function boundedMessage(message: string): string {
  return message.length <= MESSAGE_LENGTH_MAX
    ? message
    : `${message.slice(0, MESSAGE_LENGTH_MAX - 1)}…`;
}

/** An invalid setting or file: shown without a stack; the process exits with `exitCode`. */
export class StartError extends Error {
  readonly exitCode: number;
  /** @param message one line per problem; an indented line continues the previous one */
  constructor(message: string, exitCode: number) {
    super(message);
    this.name = 'StartError';
    this.exitCode = exitCode;
  }
}

/** Returns the result of `read`; undefined if it throws. */
export function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/**
 * Runs every step, even after one has failed.
 * @returns the results of all steps
 * @throws StartError with the messages of all failed steps; its exit code is that of invalid
 * settings if one step has it
 */
export function attemptAll<const Results extends readonly unknown[]>(
  ...steps: { readonly [Index in keyof Results]: () => Results[Index] }
): Results {
  const results: unknown[] = [];
  const errors: StartError[] = [];
  for (const step of steps) {
    try {
      results.push(step());
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length === 0) return results as unknown as Results;
  const lines = errors.map(({ message }) => message).join('\n');
  throw new StartError(lines, Math.max(...errors.map(({ exitCode }) => exitCode)));
}

const PREFIX = 'forebay: ';

/**
 * Writes the lines of an error or a warning to stderr; each names this command. Hides credentials
 * in URLs and escapes control characters.
 */
export function complain(message: string): void {
  for (const line of redacted(message).split('\n').map(printable)) {
    const isMarked = line.startsWith(PREFIX) || line.startsWith(' ');
    process.stderr.write(`${isMarked ? '' : PREFIX}${line}\n`);
  }
}

/** Descriptions that replace those of the system where these are unclear for a file. */
const WORDS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a directory, not a file',
  ENOENT: 'no such file or directory',
};

/** Reason of a failed system call: its description and code, `permission denied (EACCES)`. */
export function systemReason(error: unknown): string {
  // The error of a host with several addresses has no message of its own.
  if (error instanceof AggregateError && error.errors.length > 0) {
    return systemReason(error.errors[0]);
  }
  const { code, errno, message } = error as NodeJS.ErrnoException;
  if (code === undefined) return message;
  const [, description] = getSystemErrorMap().get(errno ?? 0) ?? [];
  return `${WORDS[code] ?? description ?? message} (${code})`;
}

/** Exit codes. */
export const EXIT = {
  clean: 0,
  /** A runtime failure: port, TLS files, drain timeout. */
  failed: 1,
  /** The settings are invalid; a restart is futile. */
  configuration: 2,
  /** `schema try`, `schema test`, `replay`: events do not match the schema as they should. */
  mismatch: 3,
} as const;

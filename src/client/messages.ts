/** Validation of the gateway's messages: proxies and captive portals may respond in its place. */
import type { Entry, Refusal } from './entry.ts';

const FORBIDDEN_ORIGIN = 'forbidden_origin';
/** Maximum of timers: longer ones fire immediately. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export interface Credit {
  readonly frames: number;
  readonly bytes: number;
}

export interface Hello {
  readonly maxFrameBytes: number;
  readonly maxFrameEvents: number;
  readonly credit: Credit;
}

/** Rejection of a client as a whole, with an explanation. */
export interface NotAdmitted {
  readonly code: string;
  readonly message: string;
}

/**
 * Interprets an HTTP status as a rejection of the client, by the gateway or a proxy.
 * @param isCheck the body was empty: a 403 is then not about events
 */
export function notAdmitted(
  status: number,
  text: string,
  key: string | undefined,
  isCheck: boolean,
): NotAdmitted | undefined {
  if (status === 401) {
    const what = key ? 'rejects this key' : 'requires a key, but the client has none';
    return { code: 'unauthorized', message: `the gateway ${what} (HTTP 401)` };
  }
  const code = requestCode(text);
  if (code === 'unknown_stream' || code === 'forbidden_stream') {
    return { code, message: `the gateway rejects the stream: ${code} (HTTP ${status})` };
  }
  if (status !== 403 || (code !== FORBIDDEN_ORIGIN && !isCheck)) return undefined;
  return forbiddenOrigin('HTTP 403');
}

/**
 * Codes by which the gateway rejects a request regardless of its size. Not `request_timeout`: a
 * shorter body may arrive in time.
 */
export const REQUEST_CODES = new Set(
  'bad_encoding,bad_request,expectation_failed,forbidden_origin,forbidden_stream,identity_unavailable,method_not_allowed,not_found,too_many_connections,unauthorized,unknown_stream,unsupported_media_type'.split(
    ',',
  ),
);

/** Codes by which it rejects a body that might be accepted if it were shorter, or later. */
const BODY_CODES = new Set(['buffer_full', 'draining', 'request_timeout']);

/** Returns whether the text is the gateway's own rejection of a request, not a proxy's response. */
export function isRequestError(text: string): boolean {
  return REQUEST_CODES.has(requestCode(text) ?? '');
}

/** Returns whether the gateway rejected the whole body: none of its events is stored. */
export function isRejectedBody(text: string): boolean {
  return isRequestError(text) || BODY_CODES.has(requestCode(text) ?? '');
}

function requestCode(text: string): string | undefined {
  return (jsonObject(text)?.error as { code?: string } | null | undefined)?.code;
}

export function forbiddenOrigin(said: string): NotAdmitted {
  const { origin = 'this client' } =
    (globalThis as { location?: { origin?: string } }).location ?? {};
  const message = `the gateway rejects ${origin} (${said}); FOREBAY_ORIGINS lists the allowed origins`;
  return { code: FORBIDDEN_ORIGIN, message };
}

/** Fields of an untrusted value. */
type Fields<T> = { readonly [Name in keyof T]?: unknown } | null | undefined;

/** Parses a JSON object; undefined if it is not one. */
export function jsonObject(text: unknown): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = typeof text === 'string' && JSON.parse(text);
    return value && typeof value === 'object' && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isCount(value: unknown, least = 0): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function isDelayMs(value: unknown): value is number {
  return isCount(value) && value <= DELAY_MS_MAX;
}

export function isCredit(value: unknown): value is Credit {
  const credit = value as Fields<Credit>;
  return isCount(credit?.frames) && isCount(credit.bytes);
}

export function isHello(value: unknown): value is Hello {
  const hello = value as Fields<Hello>;
  return (
    isCount(hello?.maxFrameBytes, 1) && isCount(hello.maxFrameEvents, 1) && isCredit(hello.credit)
  );
}

export function isGoaway(value: unknown): value is { readonly reconnectMs: number } {
  return isDelayMs((value as Fields<{ reconnectMs: number }>)?.reconnectMs);
}

/**
 * Parses the `errors` of a `nack` or of an HTTP response: the rejection of each rejected event.
 * undefined = not a gateway's.
 */
export function refusalsOf(
  errors: unknown,
  entries: readonly Entry[],
): Map<Entry, Refusal> | undefined {
  if (!Array.isArray(errors)) return undefined;
  const refused = new Map<Entry, Refusal>();
  for (const error of errors as unknown[]) {
    if (!isRefusal(error)) return undefined;
    const ranges: unknown = error.events ?? [[0, entries.length - 1]];
    if (!Array.isArray(ranges)) return undefined;
    for (const range of ranges as unknown[]) {
      const [first, last] = Array.isArray(range) ? range : [];
      if (!isCount(first) || !isCount(last, first) || last >= entries.length) return undefined;
      for (const entry of entries.slice(first, last + 1)) refused.set(entry, error);
    }
  }
  return refused;
}

function isRefusal(value: unknown): value is Refusal {
  const error = value as Fields<Refusal>;
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') return false;
  return error.retry === false || (error.retry === true && isDelayMs(error.retryAfterMs));
}

/**
 * Formats of the API key file and of JWKS, and their validation. Messages never repeat content of a
 * file: it may be a misplaced secret.
 */
import { LIMITS } from '../config/limits.ts';
import { STREAM_NAME } from '../streams/stream-file.ts';

/** An entry of the API key file; it does not contain the token itself. */
export interface KeyEntry {
  readonly name: string;
  /** SHA-256 of the token, 64 hexadecimal digits in lower case. */
  readonly sha256: string;
  /** Expiry in ms since 1970; Infinity = never. */
  readonly endsAtMs: number;
  readonly rate: KeyRate | undefined;
  /** Streams that it may write to; undefined = every `keyed` one, empty = none of these. */
  readonly streams?: readonly string[] | undefined;
}

/** Rate limit of a key. */
export interface KeyRate {
  readonly eventsPerSecond: number;
  readonly burst: number;
}

/** Public keys (RFC 7517); jose validates the rest. */
export interface KeySet {
  readonly keys: readonly Readonly<Record<string, unknown>>[];
}

/** Names appear in logs: nothing ambiguous is allowed. */
export const KEY_NAME = {
  pattern: /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/,
  expected: '1 to 64 letters, digits, . _ @ -, the first a letter or digit',
} as const;
const SHA256 = /^[0-9a-f]{64}$/;
const TIME = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/;
const FIELDS: ReadonlySet<string> = new Set([
  'name',
  'sha256',
  'expires',
  'eventsPerSecond',
  'burst',
  'streams',
]);
/** Fields of private and shared JWKs (RFC 7518). */
const SECRET_FIELDS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'priv'];

/**
 * Parses the text of FOREBAY_KEYS_FILE.
 * @throws Error whose message continues "the file …"
 */
export function parseKeys(text: string): KeyEntry[] {
  const { keys } = fieldsOf(parseJson(text), 'must hold an object');
  if (!Array.isArray(keys)) throw new Error('must have an array `keys`');
  if (keys.length > LIMITS.apiKeys) throw new Error(`has more than ${LIMITS.apiKeys} keys`);
  const entries = keys.map((key, index) => parseKey(key, `keys[${index}]`));
  for (const field of ['name', 'sha256'] as const) {
    const seen = new Set<string>();
    for (const [index, entry] of entries.entries()) {
      if (seen.has(entry[field])) throw new Error(`keys[${index}].${field} is a duplicate`);
      seen.add(entry[field]);
    }
  }
  return entries;
}

/**
 * Parses the text of FOREBAY_JWT_JWKS_FILE, or of a response of FOREBAY_JWT_JWKS_URL.
 * @throws Error as {@link parseKeys}
 */
export function parseKeySet(text: string): KeySet {
  const { keys } = fieldsOf(parseJson(text), 'must hold an object');
  if (!Array.isArray(keys)) throw new Error('must have an array `keys`');
  const { keys: most } = LIMITS.jwks;
  if (keys.length > most) throw new Error(`has more than ${most} keys`);
  for (const [index, key] of keys.entries()) {
    const fields = fieldsOf(key, `keys[${index}] must be an object`);
    if (typeof fields.kty !== 'string') throw new Error(`keys[${index}].kty must be a string`);
    const isSecret = SECRET_FIELDS.some((field) => Object.hasOwn(fields, field));
    if (isSecret || fields.kty === 'oct') {
      throw new Error(`keys[${index}] is not a public key and must not be in this file`);
    }
  }
  return { keys };
}

function parseKey(value: unknown, at: string): KeyEntry {
  const fields = fieldsOf(value, `${at} must be an object`);
  const isStrange = Object.keys(fields).some((field) => !FIELDS.has(field));
  if (isStrange) {
    throw new Error(`${at} may have ${[...FIELDS].join(', ')}, and nothing else`);
  }
  const { name, sha256, expires, eventsPerSecond, burst, streams } = fields;
  if (typeof name !== 'string' || !KEY_NAME.pattern.test(name)) {
    throw new Error(`${at}.name must be ${KEY_NAME.expected}`);
  }
  if (typeof sha256 !== 'string' || !SHA256.test(sha256)) {
    throw new Error(`${at}.sha256 must be 64 hexadecimal digits in lower case`);
  }
  return {
    name,
    sha256,
    endsAtMs: parseTime(expires, at),
    rate: parseRate({ eventsPerSecond, burst }, at),
    streams: parseStreams(streams, at),
  };
}

function parseStreams(streams: unknown, at: string): readonly string[] | undefined {
  if (streams === undefined) return undefined;
  const isName = (name: unknown): name is string =>
    typeof name === 'string' && STREAM_NAME.pattern.test(name);
  if (Array.isArray(streams) && streams.every(isName)) return [...new Set(streams)];
  throw new Error(`${at}.streams must be an array of stream names`);
}

function parseTime(expires: unknown, at: string): number {
  if (expires === undefined) return Number.POSITIVE_INFINITY;
  const endsAtMs = typeof expires === 'string' ? expiryOf(expires) : undefined;
  if (endsAtMs !== undefined) return endsAtMs;
  throw new Error(`${at}.expires must be a time such as 2027-01-31T00:00:00Z`);
}

/** Parses a time as in the field `expires` to ms since 1970; undefined if invalid. */
export function expiryOf(text: string): number | undefined {
  const endsAtMs = TIME.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(endsAtMs) ? undefined : endsAtMs;
}

function parseRate(
  { eventsPerSecond, burst }: { eventsPerSecond: unknown; burst: unknown },
  at: string,
): KeyRate | undefined {
  const isCount = (value: unknown): value is number =>
    Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LIMITS.keyRate;
  const range = `must be a whole number from 1 to ${LIMITS.keyRate}`;
  if (eventsPerSecond !== undefined && !isCount(eventsPerSecond)) {
    throw new Error(`${at}.eventsPerSecond ${range}`);
  }
  if (burst !== undefined && !isCount(burst)) throw new Error(`${at}.burst ${range}`);
  if (eventsPerSecond !== undefined) return { eventsPerSecond, burst: burst ?? eventsPerSecond };
  if (burst === undefined) return undefined;
  throw new Error(`${at}.burst requires eventsPerSecond`);
}

function parseJson(text: string): unknown {
  if (text.length > LIMITS.keysFileBytes) {
    throw new Error(`is longer than ${LIMITS.keysFileBytes} bytes`);
  }
  try {
    return JSON.parse(text);
  } catch {
    // V8's message quotes the text.
    throw new Error('is not valid JSON');
  }
}

function fieldsOf(value: unknown, otherwise: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error(otherwise);
}

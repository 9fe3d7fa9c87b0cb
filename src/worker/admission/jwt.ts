import { createLocalJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { KeySet } from '../../api-keys/format.ts';
import { LIMITS } from '../../config/limits.ts';
import { JWT_KEY_CELLS } from '../../metrics/slots.ts';
import { Identity } from './identity.ts';
import { KeysUnavailable } from './remote-keys.ts';

export interface JwtOptions {
  readonly audience: string;
  readonly issuer: string;
  readonly algorithms: readonly string[];
  readonly clockToleranceMs: number;
  /** Claim with an array of the streams that the bearer may write to. */
  readonly streamsClaim: string;
}

/** Reason for rejecting a JWT, without its text; `unavailable`: it cannot be verified now. */
export interface JwtFailure {
  readonly reason: string;
  readonly unavailable: boolean;
}

/** Verifies JWTs: signature, issuer, audience, times. */
export class JwtVerifier {
  readonly #options: JwtOptions;
  #findKey: JWTVerifyGetKey;

  /** @param findKey source of keys, if not {@link setKeys} */
  constructor(options: JwtOptions, findKey: JWTVerifyGetKey = noKeys) {
    this.#options = options;
    this.#findKey = findKey;
  }

  /** Replaces all keys. */
  setKeys(keySet: KeySet): void {
    this.#findKey = createLocalJWKSet({
      keys: keySet.keys.map((key) => ({ ...key, kty: String(key.kty) })),
    });
  }

  /** Never rejects. */
  async verify(token: string): Promise<Identity | JwtFailure> {
    const { audience, issuer, algorithms, clockToleranceMs, streamsClaim } = this.#options;
    try {
      const { payload } = await jwtVerify(token, this.#findKey, {
        audience,
        issuer,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceMs / 1000,
        requiredClaims: ['exp'],
      });
      const endsAtMs = Number(payload.exp) * 1000 + clockToleranceMs;
      const streams = streamsOf(payload, streamsClaim);
      if (streams === 'invalid') return { reason: 'jwt: invalid streams', unavailable: false };
      return new Identity(
        sanitizeSubject(payload.sub),
        endsAtMs,
        undefined,
        streams,
        JWT_KEY_CELLS,
      );
    } catch (error) {
      return failureOf(error);
    }
  }
}

/** Values of the claim `scope` (RFC 8693) that permit to write to a stream. */
const SCOPE = 'forebay:write:';

/** Returns the streams that a token names, by claim or else by scope; undefined = neither. */
function streamsOf(
  payload: JWTPayload,
  claim: string,
): ReadonlySet<string> | 'invalid' | undefined {
  if (Object.hasOwn(payload, claim)) {
    const names = payload[claim];
    const isList = Array.isArray(names) && names.every((name) => typeof name === 'string');
    return isList ? new Set<string>(names) : 'invalid';
  }
  const { scope } = payload;
  if (scope === undefined) return undefined;
  // RFC 8693 defines a text; some issuers write an array.
  const values: unknown = typeof scope === 'string' ? scope.split(' ') : scope;
  if (!Array.isArray(values) || !values.every((value) => typeof value === 'string')) {
    return 'invalid';
  }
  const scopes = values.filter((value) => value.startsWith(SCOPE));
  if (scopes.length === 0) return undefined;
  return new Set(scopes.map((value) => value.slice(SCOPE.length)));
}

const noKeys: JWTVerifyGetKey = () => {
  throw new KeysUnavailable('not received yet');
};

/** Texts of the token may be malicious: none is passed on. */
function failureOf(error: unknown): JwtFailure {
  if (error instanceof KeysUnavailable) return { reason: 'jwt: no keys', unavailable: true };
  if (error instanceof errors.JWTClaimValidationFailed) {
    return { reason: `jwt: ${error.code} ${error.claim}`, unavailable: false };
  }
  const code = error instanceof errors.JOSEError ? error.code : 'wrong';
  return { reason: `jwt: ${code}`, unavailable: false };
}

/** Returns the subject in a form safe for logs: of bounded length, and printable ASCII only. */
export function sanitizeSubject(subject: unknown): string {
  if (typeof subject !== 'string') return '-';
  return subject.slice(0, LIMITS.subjectLength).replace(/[^!-~]|["'\\]/g, escaped);
}

function escaped(letter: string): string {
  return `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

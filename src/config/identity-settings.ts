/** The settings of who gets in: origins, API keys, JWT. They are part of those in config.ts. */
import { choices, integer, optional, origins, url, type ValuesOf } from './setting-kinds.ts';

/** Signatures with a private key that the gateway never has. */
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
] as const;

export const IDENTITY_SETTINGS = {
  origins: origins('FOREBAY_ORIGINS', {
    meaning:
      'allowed origins of web pages, separated by commas; * = every page; none = pages of ' +
      'the same host',
  }),
  keysFile: optional('FOREBAY_KEYS_FILE', {
    meaning: 'JSON file of API keys; reloaded when it changes',
  }),
  jwtJwksFile: optional('FOREBAY_JWT_JWKS_FILE', {
    meaning: 'JSON file of the public keys (JWKS) that verify JWTs; reloaded when it changes',
  }),
  jwtJwksUrl: url('FOREBAY_JWT_JWKS_URL', {
    meaning: 'URL of the JWKS instead of a file: https, or http on loopback',
  }),
  jwtAudience: optional('FOREBAY_JWT_AUDIENCE', {
    meaning: 'required audience: `aud` of a JWT must equal or contain it; mandatory with a JWKS',
  }),
  jwtIssuer: optional('FOREBAY_JWT_ISSUER', {
    meaning: 'required issuer: `iss` of a JWT must equal it; mandatory with a JWKS',
  }),
  jwtAlgorithms: choices('FOREBAY_JWT_ALGORITHMS', {
    values: ALGORITHMS,
    default: ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'],
    meaning: 'accepted signature algorithms of JWTs, separated by commas',
  }),
  jwtClockToleranceMs: integer('FOREBAY_JWT_CLOCK_TOLERANCE_MS', {
    default: 5_000,
    min: 0,
    max: 300_000,
    unit: 'ms',
    meaning: 'tolerated clock difference between issuer and gateway',
  }),
} as const;

export type IdentityConfig = ValuesOf<typeof IDENTITY_SETTINGS>;

/** Whether clients have to say who they are. */
export function needsIdentity(config: IdentityConfig): boolean {
  return (config.keysFile ?? config.jwtJwksFile ?? config.jwtJwksUrl) !== undefined;
}

/** Reports what is wrong together. */
export function demandIdentity(
  config: IdentityConfig,
  demand: (holds: boolean, message: string) => void,
): void {
  const { jwtJwksFile, jwtJwksUrl, jwtAudience, jwtIssuer } = config;
  demand(
    jwtJwksFile === undefined || jwtJwksUrl === undefined,
    'FOREBAY_JWT_JWKS_FILE and FOREBAY_JWT_JWKS_URL are mutually exclusive',
  );
  const hasKeys = (jwtJwksFile ?? jwtJwksUrl) !== undefined;
  // A key set without them would let in everybody who has any token of the issuer.
  demand(
    !hasKeys || (jwtAudience !== undefined && jwtIssuer !== undefined),
    'FOREBAY_JWT_JWKS_FILE or _URL requires FOREBAY_JWT_AUDIENCE and FOREBAY_JWT_ISSUER',
  );
  demand(
    hasKeys || (jwtAudience ?? jwtIssuer) === undefined,
    'FOREBAY_JWT_AUDIENCE and FOREBAY_JWT_ISSUER require FOREBAY_JWT_JWKS_FILE or _URL',
  );
}

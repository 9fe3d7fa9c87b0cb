import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Identity } from '../../../src/worker/admission/identity.ts';
import { JwtVerifier, sanitizeSubject } from '../../../src/worker/admission/jwt.ts';
import { AUDIENCE, ISSUER, Issuer, inSeconds, keySetOf } from '../../support/issuer.ts';

const OPTIONS = {
  audience: AUDIENCE,
  issuer: ISSUER,
  algorithms: ['ES256', 'RS256', 'EdDSA'],
  clockToleranceMs: 2_000,
  streamsClaim: 'forebay_streams',
};

test('every permitted algorithm is accepted, and keys of a set are selected by kid', async () => {
  const issuers = await Promise.all([
    Issuer.create('1', 'ES256'),
    Issuer.create('2', 'ES256'),
    Issuer.create('3', 'RS256'),
    Issuer.create('4', 'EdDSA'),
  ]);
  const verifier = new JwtVerifier(OPTIONS);
  verifier.setKeys(keySetOf(...issuers));
  for (const issuer of issuers) {
    const result = await verifier.verify(await issuer.token({ sub: issuer.kid }));
    assert(result instanceof Identity, JSON.stringify(result));
    assert.equal(result.name, issuer.kid);
  }
});

test('an identity expires with its token, plus the tolerance', async () => {
  const issuer = await Issuer.create('1');
  const verifier = new JwtVerifier(OPTIONS);
  verifier.setKeys(keySetOf(issuer));
  const exp = inSeconds(60);
  const result = await verifier.verify(await issuer.token({ exp }));
  assert(result instanceof Identity, JSON.stringify(result));
  assert.equal(result.endsAtMs, exp * 1000 + 2_000);
  const late = await verifier.verify(await issuer.token({ exp: inSeconds(-1) }));
  assert(late instanceof Identity, 'within the clock tolerance');
});

test('the streams of a token are those of the claim, else of its scope; absent = every one', async () => {
  const issuer = await Issuer.create('1');
  const verifier = new JwtVerifier(OPTIONS);
  verifier.setKeys(keySetOf(issuer));
  const streamsOf = async (claims: Readonly<Record<string, unknown>>) => {
    const result = await verifier.verify(await issuer.token(claims));
    if (!(result instanceof Identity)) return result.reason;
    return result.streams && [...result.streams];
  };
  const [scope, invalid] = ['openid forebay:write:a forebay:write:b', 'jwt: invalid streams'];
  for (const [claims, expected] of [
    [{}, undefined],
    [{ scope: 'openid forebay:read:a' }, undefined],
    [{ scope: ['openid', 'forebay:write:a'] }, ['a']],
    [{ scope: 7 }, invalid],
    [{ scope: ['forebay:write:a', 7] }, invalid],
    [{ scope }, ['a', 'b']],
    [{ forebay_streams: ['c'], scope }, ['c']],
    [{ forebay_streams: [], scope }, []],
    [{ forebay_streams: 'c' }, invalid],
    [{ forebay_streams: ['c', 1] }, invalid],
    [{ forebay_streams: null }, invalid],
    [{ forebay_streams: { c: true } }, invalid],
  ] as const) {
    assert.deepEqual(await streamsOf(claims), expected, JSON.stringify(claims));
  }
});

test('reasons contain no text of the token', async () => {
  const issuer = await Issuer.create('1');
  const verifier = new JwtVerifier(OPTIONS);
  const reason = async (token: string) => {
    const result = await verifier.verify(token);
    assert(!(result instanceof Identity), 'it was accepted');
    return [result.reason, result.unavailable];
  };
  assert.deepEqual(await reason(await issuer.token()), ['jwt: no keys', true]);
  verifier.setKeys(keySetOf(issuer));
  const claim = 'jwt: ERR_JWT_CLAIM_VALIDATION_FAILED';
  const rows: [object, string][] = [
    [{ aud: 'evil\n' }, `${claim} aud`],
    [{ iss: 'evil\n' }, `${claim} iss`],
    [{ exp: undefined }, `${claim} exp`],
    [{ exp: 'evil' }, `${claim} exp`],
    [{ exp: inSeconds(-10) }, 'jwt: ERR_JWT_EXPIRED'],
    [{ nbf: inSeconds(60) }, `${claim} nbf`],
  ];
  for (const [claims, expected] of rows) {
    const token = await issuer.token(claims as Record<string, unknown>);
    assert.deepEqual(await reason(token), [expected, false]);
  }
  const stranger = await Issuer.create('evil');
  assert.deepEqual(await reason(await stranger.token()), ['jwt: ERR_JWKS_NO_MATCHING_KEY', false]);
  assert.deepEqual(await reason('a.b.c'), ['jwt: ERR_JWS_INVALID', false]);
});

test('a subject can neither break a log line nor fill it', () => {
  assert.equal(sanitizeSubject('till-7@example.org'), 'till-7@example.org');
  assert.equal(
    sanitizeSubject('a\n{"level":"fatal"}'),
    'a\\u000a{\\u0022level\\u0022:\\u0022fatal\\u0022}',
  );
  assert.equal(sanitizeSubject('\u001b[31mred \u202eeman'), '\\u001b[31mred\\u0020\\u202eeman');
  assert.equal(sanitizeSubject('x'.repeat(1_000)).length, 64);
  assert.equal(sanitizeSubject(undefined), '-');
  assert.equal(sanitizeSubject({}), '-');
});

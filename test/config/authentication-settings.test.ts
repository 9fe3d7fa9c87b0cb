import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig, requiresAuthentication } from '../../src/config/config.ts';

const JWT = {
  FOREBAY_JWT_JWKS_URL: 'https://issuer.example/keys',
  FOREBAY_JWT_AUDIENCE: 'forebay',
  FOREBAY_JWT_ISSUER: 'https://issuer.example',
};

/** Asserts that these settings are rejected with this message. */
function assertWrong(env: Record<string, string>, message: RegExp): void {
  assert.throws(() => readConfig(env), { name: 'StartError', exitCode: 2, message });
}

test('origins are accepted as browsers send them, regardless of case and default port', () => {
  const given =
    'https://App.example, http://app.example:80,https://app.example:8443,ionic://localhost';
  const { origins } = readConfig({ FOREBAY_ORIGINS: given });
  assert.deepEqual(origins, [
    'https://app.example',
    'http://app.example',
    'https://app.example:8443',
    'ionic://localhost',
  ]);
  assert.deepEqual(readConfig({ FOREBAY_ORIGINS: ' * ' }).origins, ['*']);
  assert.equal(readConfig({}).origins, undefined);
});

test('invalid origins, null, and * in a list are rejected', () => {
  for (const wrong of [
    'null',
    'app.example',
    'https://app.example/',
    'https://app.example/path',
    'https://*.example',
    'https://me@app.example',
    'https://app.example,*',
    'https://app.example,',
    'https://',
    'https://app.example:99999',
  ]) {
    assertWrong(
      { FOREBAY_ORIGINS: wrong },
      /FOREBAY_ORIGINS must be origins such as https:\/\/app\.ex/,
    );
  }
});

test('a JWKS URL must be https, or http on loopback', () => {
  for (const url of ['https://issuer.example/a?b', 'http://127.0.0.1:1/', 'http://localhost/x']) {
    const { jwtJwksUrl } = readConfig({ ...JWT, FOREBAY_JWT_JWKS_URL: url });
    assert.equal(jwtJwksUrl?.href, url);
  }
  for (const url of [
    'http://issuer.example',
    'file:///etc/passwd',
    'issuer',
    'https://me:hunter2@issuer.example',
    'http://127.0.0.1.evil.example',
  ]) {
    assertWrong({ ...JWT, FOREBAY_JWT_JWKS_URL: url }, /FOREBAY_JWT_JWKS_URL must be an https/);
  }
});

test('only asymmetric algorithms are accepted', () => {
  const given = { ...JWT, FOREBAY_JWT_ALGORITHMS: 'ES256, EdDSA' };
  assert.deepEqual(readConfig(given).jwtAlgorithms, ['ES256', 'EdDSA']);
  for (const wrong of ['none', 'HS256', 'RS256,HS256', 'rs256', 'RS256,']) {
    assertWrong({ FOREBAY_JWT_ALGORITHMS: wrong }, /FOREBAY_JWT_ALGORITHMS must be some of RS256,/);
  }
});

test('a JWKS requires audience and issuer, these require a JWKS, and there is only one source', () => {
  const { FOREBAY_JWT_AUDIENCE, FOREBAY_JWT_ISSUER, FOREBAY_JWT_JWKS_URL } = JWT;
  assertWrong({ FOREBAY_JWT_JWKS_URL, FOREBAY_JWT_ISSUER }, /requires FOREBAY_JWT_AUDIENCE and/);
  assertWrong(
    { FOREBAY_JWT_JWKS_FILE: '/x', FOREBAY_JWT_AUDIENCE },
    /requires FOREBAY_JWT_AUDIENCE/,
  );
  assertWrong({ FOREBAY_JWT_AUDIENCE }, /require FOREBAY_JWT_JWKS_FILE or _URL/);
  assertWrong({ ...JWT, FOREBAY_JWT_JWKS_FILE: '/x' }, /are mutually exclusive/);
});

test('authentication is required if keys are configured', () => {
  assert.equal(requiresAuthentication(readConfig({})), false);
  assert.equal(requiresAuthentication(readConfig({ FOREBAY_ORIGINS: '*' })), false);
  assert.equal(requiresAuthentication(readConfig(JWT)), true);
  assert.equal(requiresAuthentication(readConfig({ FOREBAY_KEYS_FILE: '/x' })), true);
});

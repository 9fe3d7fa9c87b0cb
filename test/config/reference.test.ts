import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readConfig } from '../../src/config/config.ts';
import { describeConfig, settingsHelp, settingsMarkdown } from '../../src/config/reference.ts';
import { SETTINGS } from '../../src/config/settings.ts';

test('secrets are hidden everywhere', () => {
  const env = {
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'me',
    KAFKA_SASL_PASSWORD: 'hunter2',
  };
  const lines = describeConfig(readConfig(env));
  assert(lines.includes('KAFKA_SASL_PASSWORD=(hidden)'));
  assert(lines.includes('KAFKA_SASL_USERNAME=me'));
  assert(lines.includes('KAFKA_TLS=0'));
  assert(lines.includes('KAFKA_TLS_CA_FILE='));
  assert(!lines.join('\n').includes('hunter2'));
  assert.equal(lines.length, Object.keys(SETTINGS).length);
});

const JWT = { FOREBAY_JWT_AUDIENCE: 'a', FOREBAY_JWT_ISSUER: 'https://u:s3cret@b.example/?s3cret' };

test('user info and query of URLs are hidden everywhere, paths are not', () => {
  const url = 'https://issuer.example:8443/keys?token=s3cret#s3cret';
  const env = { ...JWT, FOREBAY_JWT_JWKS_URL: url, FOREBAY_EVENT_SCHEMA: '/etc/a@b/c?d.json' };
  const lines = describeConfig(readConfig(env));
  assert(lines.includes('FOREBAY_JWT_JWKS_URL=https://issuer.example:8443/keys?(hidden)'));
  assert(lines.includes('FOREBAY_EVENT_SCHEMA=/etc/a@b/c?d.json'));
  assert(!lines.join('\n').includes('s3cret'));
});

test('an invalid value is reported without its credentials', () => {
  const wrong: Record<string, string> = {
    KAFKA_BROKERS: 'kafka://me:s3cret@broker.example:9092',
    FOREBAY_ORIGINS: 'https://me:s3cret@app.example/?key=s3cret',
    FOREBAY_JWT_JWKS_URL: 'http://me:s3cret@issuer.example/keys?token=s3cret',
    FOREBAY_PORT: 'tcp://s3cret@10.0.0.1:9000',
    FOREBAY_ADMIN_HOSTS: 'me:s3cret@a.example',
    FOREBAY_KEY_FIELD: '..https://host/?s3cret',
  };
  for (const [name, value] of Object.entries(wrong)) {
    assert.throws(
      () => readConfig({ ...JWT, [name]: value }),
      ({ message }: Error) => message.includes(`${name} must`) && !message.includes('s3cret'),
      name,
    );
  }
});

test('--help and docs/configuration.md come from the declarations', () => {
  for (const { env, meaning } of Object.values(SETTINGS)) {
    assert(settingsHelp().includes(`  ${env} `), env);
    assert(settingsHelp().includes(meaning), meaning);
  }
  const marked = settingsHelp().match(/(?<=^ {2})\w+(?= .*\(secret\))/gm);
  const secrets = Object.values(SETTINGS).filter(({ secret }) => secret);
  assert.deepEqual(
    marked,
    secrets.map(({ env }) => env),
  );
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  assert.equal(page, settingsMarkdown(), 'docs/configuration.md is old: run `make docs`');
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { readConfig, SETTINGS } from '../src/config.ts';
import { describeConfig, settingsHelp, settingsMarkdown } from '../src/config-texts.ts';

test('a secret is shown nowhere', () => {
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

test('--help and docs/configuration.md come from the declaration', () => {
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
  const page = readFileSync(new URL('../docs/configuration.md', import.meta.url), 'utf8');
  assert.equal(page, settingsMarkdown(), 'docs/configuration.md is old: run `make docs`');
});

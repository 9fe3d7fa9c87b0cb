import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redacted, redactedValue } from '../../src/common/redact.ts';

/** Inputs and their redacted form. */
const URLS: readonly (readonly [string, string])[] = [
  ['https://host.example:1/keys', 'https://host.example:1/keys'],
  ['https://u:p@host.example/keys', 'https://(hidden)@host.example/keys'],
  ['HTTPS://u@host.example', 'HTTPS://(hidden)@host.example'],
  ['https://u:p%40@w@host.example/', 'https://(hidden)@host.example/'],
  ['https://u:p/w@host.example/', 'https://(hidden)@host.example/'],
  ['https://u:p?w@host.example/', 'https://(hidden)'],
  ['https://host.example/keys?token=s', 'https://host.example/keys?(hidden)'],
  ['https://host.example?token=s#s', 'https://host.example?(hidden)'],
  ['https://host.example/#access_token=s', 'https://host.example/#(hidden)'],
  ['https://u:p@host.example/keys?a=s', 'https://(hidden)@host.example/keys?(hidden)'],
  ['https://host.example/?mail=a@b&token=s', 'https://(hidden)'],
  ['kafka+ssl://u:p@[::1]:9092', 'kafka+ssl://(hidden)@[::1]:9092'],
  ['a://u:p@h:1,b://u:p@h:2', 'a://(hidden)@h:2'],
];

test('user info, query and fragment are hidden in a value', () => {
  for (const [url, shown] of URLS) assert.equal(redactedValue(url), shown);
  assert.equal(redactedValue('u:p@host:9092'), '(hidden)@host:9092');
  assert.equal(redactedValue('host.example/keys?token=s'), 'host.example/keys?(hidden)');
  assert.equal(redactedValue('https://u:p w@host/'), 'https://(hidden)@host/');
  assert.equal(redactedValue('10,20'), '10,20');
});

test('in a text, in quotes, and in JSON, which stays JSON', () => {
  for (const [url, shown] of URLS) {
    assert.equal(redacted(`cannot read ${url} (ENOENT)`), `cannot read ${shown} (ENOENT)`);
    assert.equal(redacted(`not "${url}"\nnext`), `not "${shown}"\nnext`);
    const value = { [`a ${url}`]: [`<${url}>`, `${url}\nb`, `say "${url}" c`], d: 1 };
    const hidden = { [`a ${shown}`]: [`<${shown}>`, `${shown}\nb`, `say "${shown}" c`], d: 1 };
    assert.deepEqual(JSON.parse(redacted(JSON.stringify(value))), hidden);
  }
  const odd = JSON.stringify({ url: 'https://u:p\\w\u0001@host/?a=\u2028s', next: 'b' });
  assert.deepEqual(JSON.parse(redacted(odd)), {
    url: 'https://(hidden)@host/?(hidden)',
    next: 'b',
  });
});

test('texts without URLs, mail addresses and paths are unchanged', () => {
  const texts = ['till@example.com', '/etc/a@b/c?d', 'key a@b', 'what? no', 'a://', '://x?y'];
  for (const text of texts) assert.equal(redacted(text), text);
});

test('a key in place of its file is hidden', () => {
  const pem = '-----BEGIN PRIVATE KEY-----\nMIIs3cret\n-----END PRIVATE KEY-----';
  assert.equal(redacted(`cannot read ${pem}: it`), 'cannot read (hidden): it');
  assert.equal(
    redacted('cannot read -----BEGIN RSA PRIVATE KEY-----\nMII'),
    'cannot read (hidden)',
  );
  const json = JSON.stringify({ path: pem, cut: pem.slice(0, 40), next: 'b' });
  assert.deepEqual(JSON.parse(redacted(json)), { path: '(hidden)', cut: '(hidden)', next: 'b' });
  assert.equal(redactedValue(pem), '(hidden)');
});

test('the time is linear in the length of any text', () => {
  const texts = ['a.', 'a-', 'a://', '-----BEGIN A-----', 'a://a@', '"a://'];
  for (const piece of texts) {
    const startMs = performance.now();
    redacted(`${piece.repeat(100_000)}://`);
    assert(performance.now() - startMs < 5_000, piece);
  }
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { boundedMessage, EVENT_CODES, REQUEST_CODES } from '../src/errors.ts';

const protocol = readFileSync(new URL('../docs/protocol.md', import.meta.url), 'utf8');

test('docs/protocol.md lists every code of the catalogue with its text, and no other', () => {
  const rows = [...protocol.matchAll(/^\| `([a-z0-9_]+)` \| (.*) \| (yes|no|) ?\| (.*) \|$/gm)];
  const documented = rows.map(([, code, of, again, text]) => [code, of, again, text]);
  const events = Object.entries(EVENT_CODES).map(([code, { retry, text }]) => [
    code,
    'event or frame',
    retry ? 'yes' : 'no',
    text,
  ]);
  const requests = Object.entries(REQUEST_CODES).map(([code, entry]) => {
    const shown = [
      'http' in entry ? `HTTP ${entry.http}` : '',
      'ws' in entry ? `close ${entry.ws}` : '',
    ];
    return [code, shown.filter((part) => part !== '').join(', '), '', entry.text];
  });
  assert.deepEqual(documented, [...events, ...requests]);
});

test('a message in an answer is cut to 200 characters', () => {
  assert.equal(boundedMessage('x'.repeat(200)), 'x'.repeat(200));
  assert.equal(boundedMessage('x'.repeat(201)).length, 200);
});

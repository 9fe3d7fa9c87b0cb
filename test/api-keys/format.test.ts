import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKeySet, parseKeys } from '../../src/api-keys/format.ts';
import { tokenHash } from '../../src/api-keys/token.ts';
import { LIMITS } from '../../src/config/limits.ts';

const HASH = tokenHash('a token');
const key = (fields: object = {}) => ({ name: 'till', sha256: HASH, ...fields });
const fileOf = (...keys: unknown[]) => JSON.stringify({ keys });

/** Message for an invalid text. */
function problem(text: string, parse: (text: string) => unknown = parseKeys): string {
  try {
    parse(text);
  } catch (error) {
    return (error as Error).message;
  }
  return assert.fail(`nothing was wrong with ${text}`);
}

test('a key has a name and a hash, and optionally an expiry, a rate and streams', () => {
  assert.deepEqual(parseKeys(fileOf()), []);
  assert.deepEqual(parseKeys(fileOf(key())), [
    {
      name: 'till',
      sha256: HASH,
      endsAtMs: Number.POSITIVE_INFINITY,
      rate: undefined,
      streams: undefined,
    },
  ]);
  const [full] = parseKeys(
    fileOf(key({ expires: '2027-01-31T01:00:00+01:00', eventsPerSecond: 5, burst: 7 })),
  );
  assert.equal(full?.endsAtMs, Date.UTC(2027, 0, 31));
  assert.deepEqual(full?.rate, { eventsPerSecond: 5, burst: 7 });
  const [short] = parseKeys(fileOf(key({ expires: '2027-01-31', eventsPerSecond: 5 })));
  assert.equal(short?.endsAtMs, Date.UTC(2027, 0, 31));
  assert.deepEqual(short?.rate, { eventsPerSecond: 5, burst: 5 }, 'a second’s worth at once');
  const [bound] = parseKeys(fileOf(key({ streams: ['a', 'b-1', 'a'] })));
  assert.deepEqual(bound?.streams, ['a', 'b-1']);
  assert.deepEqual(parseKeys(fileOf(key({ streams: [] })))[0]?.streams, []);
});

test('errors name their position', () => {
  const other = { name: 'other', sha256: tokenHash('other') };
  const rows: [string, RegExp][] = [
    ['', /^is not valid JSON$/],
    ['{"keys":[}', /^is not valid JSON$/],
    ['[]', /^must hold an object$/],
    ['{}', /^must have an array `keys`$/],
    [fileOf(1), /^keys\[0\] must be an object$/],
    [fileOf(key(), null), /^keys\[1\] must be an object$/],
    [fileOf(key({ token: 'x' })), /^keys\[0\] may have name, sha256, .* nothing else$/],
    [fileOf(key({ name: '' })), /^keys\[0\]\.name must be/],
    [fileOf(key({ name: 'a\nb' })), /^keys\[0\]\.name must be/],
    [fileOf(key({ name: 'a'.repeat(65) })), /^keys\[0\]\.name must be/],
    [fileOf(key({ sha256: 'short' })), /^keys\[0\]\.sha256 must be/],
    [fileOf(key({ sha256: HASH.toUpperCase() })), /^keys\[0\]\.sha256 must be/],
    [fileOf(key({ expires: 'tomorrow' })), /^keys\[0\]\.expires must be a time/],
    [fileOf(key({ expires: 1 })), /^keys\[0\]\.expires must be a time/],
    [fileOf(key({ expires: '2027-13-01' })), /^keys\[0\]\.expires must be a time/],
    [fileOf(key({ eventsPerSecond: 0 })), /^keys\[0\]\.eventsPerSecond must be/],
    [fileOf(key({ eventsPerSecond: 1.5 })), /^keys\[0\]\.eventsPerSecond must be/],
    [fileOf(key({ eventsPerSecond: '5' })), /^keys\[0\]\.eventsPerSecond must be/],
    [fileOf(key({ eventsPerSecond: 5, burst: -1 })), /^keys\[0\]\.burst must be/],
    [fileOf(key({ streams: 'a' })), /^keys\[0\]\.streams must be an array of stream names$/],
    [fileOf(key({ streams: ['a', 1] })), /^keys\[0\]\.streams must be/],
    [fileOf(key({ streams: ['a', 'B'] })), /^keys\[0\]\.streams must be/],
    [fileOf(key({ streams: null })), /^keys\[0\]\.streams must be/],
    [fileOf(key({ burst: 5 })), /^keys\[0\]\.burst requires eventsPerSecond$/],
    [fileOf(key(), { ...other, name: 'till' }), /^keys\[1\]\.name is a duplicate$/],
    [fileOf(key(), { ...other, sha256: HASH }), /^keys\[1\]\.sha256 is a duplicate$/],
    [' '.repeat(LIMITS.keysFileBytes + 1), /^is longer than/],
    [fileOf(...Array(LIMITS.apiKeys + 1).fill(key())), /^has more than/],
  ];
  for (const [text, message] of rows) assert.match(problem(text), message);
});

test('no message repeats content of the file: it may be a misplaced secret', () => {
  const secret = 'hunter2';
  const texts = [
    `${secret}`,
    `{"keys":["${secret}"]}`,
    fileOf(key({ sha256: secret })),
    fileOf(key({ name: `${secret} ` })),
    fileOf(key({ [secret]: secret })),
    fileOf(key({ expires: secret })),
  ];
  for (const text of texts) assert.doesNotMatch(problem(text), /hunter2/);
});

test('a key set contains only public keys', () => {
  const keys = [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', kid: '1' }];
  assert.deepEqual(parseKeySet(JSON.stringify({ keys })), { keys });
  const rows: [string, RegExp][] = [
    ['[]', /^must hold an object$/],
    ['{"keys":{}}', /^must have an array/],
    ['{"keys":[7]}', /^keys\[0\] must be an object$/],
    ['{"keys":[{}]}', /^keys\[0\]\.kty must be a string$/],
    ['{"keys":[{"kty":"RSA","d":"x"}]}', /^keys\[0\] is not a public key/],
    ['{"keys":[{"kty":"oct","k":"x"}]}', /^keys\[0\] is not a public key/],
  ];
  for (const [text, message] of rows) assert.match(problem(text, parseKeySet), message);
});

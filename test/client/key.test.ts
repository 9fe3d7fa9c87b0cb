import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Key } from '../../src/client/key.ts';

const NO_KEY = /^SyntaxError: the key contains invalid characters/;

for (const wrong of ['abc\n', ' abc', 'a b', 'wröng', 'a,b', '"abc"']) {
  test(`${JSON.stringify(wrong)} is rejected as a key in any form, by an error that does not contain it`, async () => {
    for (const option of [wrong, () => wrong]) {
      assert.throws(() => new Key(option).get(), NO_KEY);
      assert.equal(new Key(option).atOnce, undefined);
    }
    const promised = new Key(async () => wrong);
    await assert.rejects(async () => promised.get(), NO_KEY);
    assert.equal(promised.atOnce, undefined);
    await assert.rejects(
      async () => promised.get(),
      ({ message }: Error) => !message.includes(wrong.trim()),
    );
  });
}

test('API keys, JWTs and no key are used as given', async () => {
  for (const key of ['fbk_0Az-9_', 'eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ.c2ln-_', '', undefined]) {
    assert.equal(new Key(key).get(), key);
    assert.equal(await new Key(async () => key).get(), key);
    assert.equal(new Key(() => key).atOnce, key);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { uuidv7 } from '../../src/client/uuid.ts';

const FORM = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

test('the first 48 bits are the time in milliseconds', () => {
  const before = Date.now();
  const [, high, low] = FORM.exec(uuidv7()) ?? [];
  const at = Number.parseInt(`${high}${low}`, 16);
  assert(at >= before && at <= Date.now(), `${at} is not now`);
});

test('20,000 within a moment increase and differ, also while the clock stops or goes back', (t) => {
  let now = Date.now();
  t.mock.method(Date, 'now', () => now);
  const ids: string[] = [];
  for (let count = 0; count < 20_000; count++) {
    if (count === 10_000) now -= 3_600_000;
    ids.push(uuidv7());
  }
  assert(
    ids.every((id) => FORM.test(id)),
    'each is a UUID of version 7',
  );
  assert.deepEqual(ids, [...ids].sort());
  assert.equal(new Set(ids).size, ids.length);
});

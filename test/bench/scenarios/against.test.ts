import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goalAgainst } from '../../../bench/scenarios/against.ts';
import { BODY_GROUPS } from '../../../bench/scenarios/body-loads.ts';

const LOADS = BODY_GROUPS.flatMap(({ loads }) => loads.map(({ name }) => name));

test('the goals apply to the commit that they were set against, and to no other', () => {
  const reference = { hash: `19df8789${'0'.repeat(32)}` };
  const goals = LOADS.map((load) => [load, goalAgainst(reference, load)]);
  assert.deepEqual(goals, [
    ['140 B, one per frame', undefined],
    ['140 B, 50 per frame', undefined],
    ['0.5 KB, ten per frame', undefined],
    ['1 KB, ten per frame', { most: 0.75 }],
    ['10 KB, one per frame', { most: 0.65 }],
  ]);
  for (const load of LOADS) assert.equal(goalAgainst({ hash: '1'.repeat(40) }, load), undefined);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Child } from '../../testing/child.ts';

for (const [file, args, name, value, range] of [
  ['bench/run.ts', ['single'], 'ROUNDS', '-3', 'a whole number from 1 to 100'],
  ['bench/chaos/run.ts', ['soak'], 'HOURS', 'x', 'hours from 0.1 to 1000 such as 1 or 0.5'],
  ['test/simulation/main.ts', [], 'SEEDS', '9'.repeat(30), 'a whole number from 1 to 1000000000'],
  ['test/simulation/main.ts', [], 'FIRST', '-3', 'a whole number from 0 to 2147483647'],
  ['test/simulation/main.ts', [], 'SEED', 'x', 'a whole number from 0 to 2147483647'],
] as const) {
  test(`an invalid ${name} ends ${file} immediately, with a message that names the range`, async () => {
    const child = new Child(file, args, { [name]: value });
    const { code } = await child.ended;
    assert.deepEqual([code, child.stdout], [2, '']);
    assert.equal(child.stderr.split(': ')[1], `${name} must be ${range}, not "${value}"\n`);
  });
}

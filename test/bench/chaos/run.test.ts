import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, test } from 'node:test';
import { hostile, SCENARIOS } from '../../../bench/chaos/scenarios.ts';
import { machineRate } from '../../../bench/chaos/traffic.ts';
import { Child } from '../../../testing/child.ts';

const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
});

async function chaosWith(env: Record<string, string>, ...args: string[]) {
  const child = new Child('bench/chaos/run.ts', args, env);
  children.push(child);
  const { code } = await child.ended;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

const chaos = (...args: string[]) => chaosWith({}, ...args);

test('an unknown scenario or an extra argument lists the scenarios, before anything starts', async () => {
  const [unknown, two] = await Promise.all([chaos('nope'), chaos('quota', 'clock')]);
  assert.deepEqual([unknown.code, unknown.stdout], [2, '']);
  assert.match(
    unknown.stderr,
    /^chaos: no scenario "nope"; available:\n {2}broker-sigkill .* min\n/,
  );
  assert.match(unknown.stderr, /^ {2}hostile-memory .* min$/m);
  assert.deepEqual([two.code, two.stdout], [2, '']);
  assert.match(two.stderr, /^chaos: quota takes no arguments; available:\n/);
});

test('docs/guarantees.md names every scenario', () => {
  const text = readFileSync('docs/guarantees.md', 'utf8');
  for (const { name } of [...SCENARIOS, ...hostile()]) assert(text.includes(`\`${name}\``), name);
});

test('scenario names are unique and need no quoting in a shell', () => {
  const names = [...SCENARIOS, ...hostile()].map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const name of names) assert.match(name, /^[a-z]+(-[a-z0-9]+)*$/);
});

test('the load is 5,000 events/s on two cores, and has a maximum', () => {
  assert.deepEqual(
    [1, 2, 64].map((cores) => machineRate(cores)),
    [2_500, 5_000, 10_000],
  );
});

test('invalid SECONDS of attacks print the range, before anything starts', async () => {
  const wrong = ['0', '601', '1.5', 'x'].map((SECONDS) => chaosWith({ SECONDS }, 'hostile'));
  for (const { code, stdout, stderr } of await Promise.all(wrong)) {
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /^chaos: SECONDS must be seconds from 1 to 600, not /);
  }
});

test('attack setups: one pinned worker, two workers, HAProxy, TLS, API keys', () => {
  const setups = hostile(3).map(({ name, setup }) => [name, setup]);
  const of = (name: string) => Object.fromEntries(setups)[name];
  assert.equal(of('hostile-one').pinned, true);
  assert.equal(of('hostile-two').workers, 2);
  assert.equal(of('hostile-haproxy').balanced, true);
  assert.equal(of('hostile-tls').secure, true);
  assert.equal(of('hostile-keys').keys, true);
  for (const { summary } of hostile(3)) assert.match(summary, /, 3 s each$/);
});

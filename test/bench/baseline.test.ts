import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Child } from '../primary/fixtures/child.ts';

const children: Child[] = [];
after(async () => {
  for (const child of children) await child.kill();
});

test('a command that it does not know: how it is called, before anything runs', async () => {
  for (const args of [[], ['chek'], ['check', 'record'], ['check', '--first']]) {
    const child = new Child('bench/baseline.ts', args, {});
    children.push(child);
    const { code } = await child.ended;
    assert.deepEqual([code, child.stdout], [1, ''], args.join(' '));
    assert.match(
      child.stderr,
      /^bench: (usage: baseline\.ts record\|check \[--last\]|Unknown option)/,
    );
  }
});

/** Facts about processes, with the files of /proc and, in place of other systems, without them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { argumentsOf, startOf } from '../../deploy/kafka/processes.ts';
import { until } from '../../testing/wait.ts';

for (const [where, proc] of [
  ['from /proc', '/proc'],
  ['from ps', '/missing'],
] as const) {
  test(`start and arguments of a process ${where}, until it exits`, async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'two words']);
    const { pid = 0 } = child;
    await until(() => argumentsOf(pid, proc)?.includes('two'), { what: 'start of the process' });
    const [start, own] = [startOf(pid, proc), startOf(process.pid, proc)];
    assert.match(start ?? '', /\d/);
    assert.equal(startOf(pid, proc), start);
    assert.notEqual(own, undefined);
    assert.match(argumentsOf(pid, proc) ?? '', /two.words/);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
    assert.deepEqual([startOf(pid, proc), argumentsOf(pid, proc)], [undefined, undefined]);
  });
}

test('a zombie has exited', async () => {
  // The shell becomes a program that does not wait for its child.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60']);
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const zombie = Number(line);
    for (const proc of ['/proc', '/missing']) {
      await until(() => startOf(zombie, proc) === undefined, { what: `end of ${zombie}` });
    }
  } finally {
    parent.kill('SIGKILL');
  }
});

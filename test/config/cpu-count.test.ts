import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { availableCores } from '../../src/config/cpu-count.ts';

const machine = availableParallelism();

/** A file system with only these files. */
function cores(files: Record<string, string>): number {
  return availableCores((path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT ${path}`);
    return text;
  });
}

test('no cgroup: the scheduler’s CPU count', () => {
  assert.equal(cores({}), machine);
});

test('cgroup v2: the quota of the own group, rounded up', () => {
  const own = { '/proc/self/cgroup': '0::/kubepods/pod1\n' };
  const file = '/sys/fs/cgroup/kubepods/pod1/cpu.max';
  assert.equal(cores({ ...own, [file]: '100000 100000\n' }), 1);
  assert.equal(cores({ ...own, [file]: '110000 100000\n' }), Math.min(machine, 2));
  assert.equal(cores({ ...own, [file]: '1000 100000\n' }), 1, 'at least one');
  assert.equal(
    cores({ ...own, [file]: '99900000 100000\n' }),
    machine,
    'never more than there are',
  );
  assert.equal(cores({ ...own, [file]: 'max 100000\n' }), machine);
});

test('cgroup v2 in a container: the quota is at the root', () => {
  assert.equal(cores({ '/sys/fs/cgroup/cpu.max': '50000 100000\n' }), 1);
  const elsewhere = { '/proc/self/cgroup': '0::/not/mounted\n' };
  assert.equal(cores({ ...elsewhere, '/sys/fs/cgroup/cpu.max': '50000 100000\n' }), 1);
});

test('cgroup v1: quota and period; -1 is unlimited', () => {
  const quota = (value: string) => ({
    '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': value,
    '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
  });
  assert.equal(cores(quota('50000\n')), 1);
  assert.equal(cores(quota('150000\n')), Math.min(machine, 2));
  assert.equal(cores(quota('-1\n')), machine);
});

import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { attempt } from '../common/errors.ts';

/**
 * Cores that this process may use: those of the scheduler, bounded by the cgroup's CPU quota
 * rounded up; at least 1. `availableParallelism()` of Node.js 20 ignores the quota.
 *
 * @param readFile reads a file; throws if it does not exist
 */
export function availableCores(
  readFile: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): number {
  const quota = quotaV2(readFile) ?? quotaV1(readFile);
  const cores = availableParallelism();
  return quota === undefined ? cores : Math.max(1, Math.min(cores, Math.ceil(quota)));
}

/** cgroup v2: `cpu.max` holds "<quota> <period>" or "max <period>", in microseconds. */
function quotaV2(readFile: (path: string) => string): number | undefined {
  let folder = attempt(() => readFile('/proc/self/cgroup').match(/^0::(.*)$/m)?.[1]) ?? '/';
  let least: number | undefined;
  // A quota of any parent cgroup applies too.
  for (;;) {
    const path = `/sys/fs/cgroup${folder === '/' ? '' : folder}/cpu.max`;
    const match = attempt(() => readFile(path).match(/^(\d+) (\d+)/));
    if (match) least = Math.min(least ?? Infinity, Number(match[1]) / Number(match[2]));
    if (folder === '/') return least;
    folder = folder.slice(0, folder.lastIndexOf('/')) || '/';
  }
}

/** cgroup v1: two files in microseconds; -1 means no quota. */
function quotaV1(readFile: (path: string) => string): number | undefined {
  const quota = attempt(() => Number(readFile('/sys/fs/cgroup/cpu/cpu.cfs_quota_us')));
  const period = attempt(() => Number(readFile('/sys/fs/cgroup/cpu/cpu.cfs_period_us')));
  return quota !== undefined && period !== undefined && quota > 0 && period > 0
    ? quota / period
    : undefined;
}

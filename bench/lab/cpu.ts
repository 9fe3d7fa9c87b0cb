/** CPU time of processes, user and system, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Seconds of CPU that a process's threads have used. The scheduler counts nanoseconds, where
 * /proc/PID/stat has hundredths of a second: too coarse for a window of seconds.
 * @throws Error when there is no such process
 */
export function cpuSecondsOf(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
      nanoseconds += Number(text.split(' ')[0]);
    } catch {
      // A thread that ended since it was listed.
    }
  }
  return nanoseconds / 1e9;
}

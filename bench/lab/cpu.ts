/** CPU time of processes, user and system, from /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * Returns the CPU seconds of a process's threads. The scheduler counts nanoseconds; /proc/PID/stat
 * has hundredths of a second, too coarse for a window of seconds.
 * @throws Error if there is no such process
 */
export function cpuSecondsOf(pid: number): number {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
      nanoseconds += Number(text.split(' ')[0]);
    } catch {
      // The thread ended after it was listed.
    }
  }
  return nanoseconds / 1e9;
}

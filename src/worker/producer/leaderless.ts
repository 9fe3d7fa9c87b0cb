import { LIMITS } from '../../config/limits.ts';
import type { Topic } from '../accumulator/topic.ts';
import type { Faults } from '../faults.ts';

/** Partition numbers that a log line names. */
const NUMBERS_LOGGED = 20;

/**
 * Reports the partitions without a leader for `LIMITS.leaderlessMs`, with or without events.
 * @param nowMs on the monotonic clock
 * @returns the number of those of required topics
 */
export function reportLeaderless(topics: Iterable<Topic>, faults: Faults, nowMs: number): number {
  let count = 0;
  for (const topic of topics) {
    const without = topic.partitions.filter(({ leaderlessSinceMs = nowMs }) => {
      return nowMs - leaderlessSinceMs >= LIMITS.leaderlessMs;
    });
    if (without.length === 0) continue;
    if (topic.required) count += without.length;
    const numbers = without.slice(0, NUMBERS_LOGGED).map(({ number }) => number);
    const fields = { topic: topic.name, partitions: without.length, numbers };
    faults.warn(topic.name, fields, 'partitions have no leader');
  }
  return count;
}

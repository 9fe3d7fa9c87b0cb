/** Selection of dead letters. */
import { EXIT, StartError } from '../../common/errors.ts';
import type { DeadLetter } from '../../kafka/dead-letter.ts';
import type { Bounds } from '../listen/positions.ts';
import type { TopicRange } from '../listen/range-reader.ts';
import type { SelectionOptions } from './arguments.ts';

/** Returns whether a dead letter in the range meets the conditions. */
export function isSelected(
  { received, code, identity }: DeadLetter,
  { sinceMs, untilMs, codes, identities }: SelectionOptions,
): boolean {
  if (sinceMs !== undefined && received < sinceMs) return false;
  if (untilMs !== undefined && received >= untilMs) return false;
  if (codes.size > 0 && !codes.has(code)) return false;
  return identities.size === 0 || (identity !== undefined && identities.has(identity));
}

/** Offsets to read. */
export interface SelectedRange {
  readonly range: TopicRange;
  /** Selected offsets that retention has removed, as far as they are known. */
  readonly removed: number;
}

/**
 * Returns the offsets that may be selected: from the first one at that time, or of the offsets, to
 * the current end of the topic. Timestamps are not in order: each dead letter is checked as well.
 * Their timestamp is the arrival or, as the topic may demand, the later time of storage.
 * @throws StartError (exit code 2) if there is no such partition
 */
export function selectedRange(
  topic: string,
  { low, high, since = low }: Bounds,
  { partitions, offsets }: SelectionOptions,
): SelectedRange {
  for (const partition of partitions ?? []) {
    if (low.has(partition)) continue;
    const line = `partition ${partition} does not exist: topic ${topic} has 0 to ${low.size - 1}`;
    throw new StartError(`replay: ${line}`, EXIT.configuration);
  }
  const first = new Map<number, bigint>();
  const end = new Map<number, bigint>();
  let removed = 0n;
  for (const [partition, next] of high) {
    if (partitions?.has(partition) === false) continue;
    const lowest = low.get(partition) ?? next;
    let [from, to] = [greatest(lowest, since.get(partition) ?? next), next];
    if (offsets !== undefined) {
      to = least(next, BigInt(offsets.last) + 1n);
      const wanted = BigInt(offsets.first);
      removed += greatest(0n, least(to, lowest) - wanted);
      from = greatest(from, wanted);
    }
    first.set(partition, least(from, to));
    end.set(partition, to);
  }
  return { range: { topic, first, end }, removed: Number(removed) };
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function greatest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Start positions, chosen once the topic is known, and the lines that describe them. */
import { EXIT, StartError } from '../../common/errors.ts';
import type { ListenOptions } from './arguments.ts';
import { counted } from './format.ts';
import type { Bounds } from './positions.ts';
import type { Positions } from './reader.ts';
import { describeStart } from './start.ts';

/** Origin of the events, for the line that names it. */
interface Source {
  readonly topic: string;
  readonly brokers: readonly string[];
}

type Wanted = Pick<ListenOptions, 'from' | 'partitions'>;

/** @throws StartError (exit code 2) if the topic has no such partition */
export function firstPositions(bounds: Bounds, { from, partitions }: Wanted): Positions {
  const { low, high, since } = bounds;
  for (const partition of partitions ?? []) {
    if (low.has(partition)) continue;
    const line = `partition ${partition} does not exist: the topic has 0 to ${low.size - 1}`;
    throw new StartError(`listen: ${line}`, EXIT.configuration);
  }
  const all = from === 'beginning' ? low : (since ?? high);
  return new Map([...all].filter(([partition]) => partitions?.has(partition) ?? true));
}

/** Positions to resume at; a recreated topic is read from its new beginning. */
export function resumedPositions(
  { low, high }: Bounds,
  { partitions }: Wanted,
  positions: Positions,
): Positions {
  const wanted = [...low].filter(([partition]) => partitions?.has(partition) ?? true);
  return new Map(
    wanted.map(([partition, first]) => {
      const at = positions.get(partition) ?? 0n;
      const exists = at >= first && at <= (high.get(partition) ?? 0n);
      return [partition, exists ? at : first];
    }),
  );
}

/** Describes what is read, and why no events may arrive for a while, a line each. */
export function describeFirst(source: Source, bounds: Bounds, wanted: Wanted): string[] {
  const { topic, brokers } = source;
  const { from, partitions } = wanted;
  const chosen = [...bounds.low.keys()].filter((partition) => partitions?.has(partition) ?? true);
  const numbers = chosen.sort((a, b) => a - b).join(', ');
  const which =
    partitions === undefined
      ? counted(chosen.length, 'partition')
      : `partition${chosen.length === 1 ? '' : 's'} ${numbers}`;
  const place = `${topic} at ${brokers.join(',')}`;
  const lines = [`reading ${place}, ${which}, from ${describeStart(from)}`];
  const until = (begin: Positions | undefined) =>
    chosen.every(
      (partition) => (begin?.get(partition) ?? 0n) >= (bounds.high.get(partition) ?? 0n),
    );
  if (until(bounds.low)) {
    const empty = partitions === undefined ? `${topic} is` : `these partitions of ${topic} are`;
    lines.push(`${empty} empty; waiting for events`);
  } else if (bounds.since !== undefined && until(bounds.since)) {
    lines.push('no events since then; waiting for events');
  }
  return lines;
}

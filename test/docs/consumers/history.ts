/** Topics with copies of events, and the order in which a consumer reads them. */
import { SeededRandom } from '../../../testing/random.ts';

/** A record as consumers see it. */
export interface Copy {
  readonly partition: number;
  readonly offset: number;
  /** `fb-id`; undefined = none: the event has one record. */
  readonly id: string | undefined;
  /** Has `fb-resent`. */
  readonly resent: boolean;
  /** `fb-received`, ms since 1970. */
  readonly received: number;
  /** Number of the event. */
  readonly event: number;
}

export interface History {
  readonly events: number;
  /** Records of one partition each, in order; later polls may repeat records of earlier ones. */
  readonly polls: readonly (readonly Copy[])[];
}

const START = Date.UTC(2026, 0, 31);
const HOUR_MS = 3_600_000;
/** Marks of the copies of an event in the order of storage, and their frequency. */
const KINDS: readonly (readonly [number, readonly boolean[]])[] = [
  [0.6, [false]],
  [0.1, [false, true]],
  [0.1, [true, false]],
  [0.05, [true]],
  [0.05, [true, true]],
  [0.05, [true, false, true]],
  [0.05, [true, true, false]],
];

export interface HistoryOptions {
  readonly seed: number;
  readonly partitions: number;
  /** Copies of an event are in one partition. */
  readonly keyed: boolean;
  /** Times that the consumer starts again from an earlier position of a partition. */
  readonly restarts: number;
}

/** Generates a history in which each rule of marked repeats appears. */
export function createHistory(options: HistoryOptions, events = 600): History {
  const { seed, partitions, keyed, restarts } = options;
  const random = new SeededRandom(seed, 'copies');
  const stored = Array.from({ length: events }, (_, event) => {
    const received = START + event * 10_000;
    const partition = random.int(0, partitions - 1);
    const withoutId = random.chance(0.05);
    let [time, attempt] = [received, received];
    return kindOf(withoutId ? 0 : random.next()).map((resent) => {
      time += random.log(1, 8 * HOUR_MS);
      attempt += random.log(1_000, HOUR_MS);
      return {
        partition: keyed ? partition : random.int(0, partitions - 1),
        id: withoutId ? undefined : `id-${event}`,
        resent,
        received: resent ? Math.round(attempt) : received,
        event,
        time,
      };
    });
  }).flat();
  stored.sort((a, b) => a.time - b.time);
  const logs = Array.from({ length: partitions }, (_, number) =>
    stored
      .filter(({ partition }) => partition === number)
      .map(({ time: _, ...copy }, offset): Copy => ({ ...copy, offset })),
  );
  return { events, polls: pollsOf(logs, restarts, random) };
}

function kindOf(number: number): readonly boolean[] {
  let rest = number;
  for (const [share, marks] of KINDS) {
    rest -= share;
    if (rest < 0) return marks;
  }
  return KINDS[0]![1];
}

/** Reads the partitions in turn, some ahead of others. */
function pollsOf(logs: Copy[][], restarts: number, random: SeededRandom): Copy[][] {
  const polls: Copy[][] = [];
  const next = logs.map(() => 0);
  const open = () => logs.flatMap((log, at) => (next[at]! < log.length ? [at] : []));
  let left = restarts;
  for (let choices = open(); choices.length > 0 || left > 0; choices = open()) {
    if (choices.length === 0 || (left > 0 && random.chance(0.1))) {
      const at = random.int(0, logs.length - 1);
      next[at] = Math.max(0, next[at]! - random.int(1, 60));
      left--;
      continue;
    }
    const at = random.pick(choices);
    const count = random.int(1, 50);
    polls.push(logs[at]!.slice(next[at], next[at]! + count));
    next[at]! += count;
  }
  return polls;
}

/** Numbers of the events that were not counted exactly once; [] = each was. */
export function miscounted(events: number, counted: readonly number[]): number[] {
  const counts = new Array<number>(events).fill(0);
  for (const event of counted) counts[event]!++;
  return counts.flatMap((count, event) => (count === 1 ? [] : [event]));
}

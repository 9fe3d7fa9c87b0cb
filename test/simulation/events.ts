/** Events of simulated clients. Each carries its id in its text, which identifies it in the log. */

import type { NackError } from '../../testing/protocol.ts';
import type { SeededRandom } from '../../testing/random.ts';
import { BAD_RECORD } from './faults.ts';
import type { Report } from './report.ts';
import { Destinations, eventTime, idSuffix, type RecordPlan } from './streams.ts';

/** `bad`: Kafka always rejects it. `wrong`: it violates the schema. `stray`: it has no stream. */
export type Flavour = 'good' | 'bad' | 'wrong' | 'stray';

export interface SimEvent {
  readonly id: string;
  readonly key: string;
  /** Member that names its stream; '' = none. */
  readonly field: string;
  /** Its topic depends on the version of the streams. */
  readonly moves: boolean;
  /** Name of its stream. */
  readonly stream: string;
  /** Form of its record. */
  readonly records: RecordPlan;
  /** Its own time, ms since 1970. */
  readonly time: number;
  /** Its own time is within the bounds of its stream, which has some. */
  readonly isTimely: boolean;
  readonly flavour: Flavour;
  readonly fill: string;
  /** Number of times it was sent; part of its text. */
  attempt: number;
  /** It may be stored: an attempt had no result, or was rejected with `timeout`. */
  isRepeat: boolean;
}

const FILL = 'x'.repeat(4_096);
/** Share of the events that are parsed: one of three. */
const PARSED_EVERY = 3;

export class EventMaker {
  readonly #name: string;
  readonly #random: SeededRandom;
  readonly #keys: readonly string[];
  readonly #badRate: number;
  readonly #destinations: Destinations;
  #made = 0;

  constructor(
    name: string,
    random: SeededRandom,
    badRate: number,
    destinations = new Destinations(undefined, random),
  ) {
    this.#destinations = destinations;
    this.#name = name;
    this.#random = random;
    this.#badRate = badRate;
    this.#keys = Array.from({ length: random.int(1, 4) }, () => `k${random.int(0, 30)}`);
  }

  /** Path of its events below `/ws` and `/events`. */
  get path(): string {
    return this.#destinations.path;
  }

  make(): SimEvent {
    const random = this.#random;
    const { topic, hasSchema, isUnknown, ...destination } = this.#destinations.next(random);
    const { field, moves, stream, records } = destination;
    const isTimely = records.isTimed && random.chance(0.7);
    const isBad = random.chance(this.#badRate);
    const bad = hasSchema ? random.pick(['bad', 'wrong'] as const) : 'bad';
    return {
      id: `${this.#name}-${this.#made++}${idSuffix(topic)}`,
      key: random.pick(this.#keys),
      field,
      moves,
      stream,
      records,
      time: records.isTimed ? eventTime(random, isTimely) : 1,
      isTimely,
      flavour: isUnknown ? 'stray' : isBad ? bad : 'good',
      fill: FILL.slice(0, Math.floor(random.log(1, random.chance(0.05) ? 2_500 : 120))),
      attempt: 0,
      isRepeat: false,
    };
  }
}

export function textOf({ id, attempt, key, field, time, flavour, fill }: SimEvent): string {
  // A field that occurs twice: the event is parsed. All others are decided by their bytes.
  const twice = fill.length % PARSED_EVERY === 0 ? '"clientId":"first",' : '';
  const head = `{"id":"${id}","attempt":${attempt},${field}${twice}`;
  const message = flavour === 'bad' ? `${BAD_RECORD}${fill}"` : `"msg":"${fill}"`;
  const timestamp = flavour === 'wrong' ? '"now"' : time;
  return `${head}${message},"clientId":"${key}","timestamp":${timestamp}}`;
}

/** Returns `id#attempt` of an event's text. */
export function nameIn(text: string): string {
  const [, id, attempt] = /^\{"id":"([^"]+)","attempt":(\d+)/.exec(text) ?? [];
  return `${id}#${attempt}`;
}

/** Returns a frame or body of these events, in one of the accepted forms. */
export function frameOf(events: readonly SimEvent[], random: SeededRandom): string {
  const texts = events.map(textOf);
  if (texts.length === 1 && random.chance(0.7)) return texts[0]!;
  return random.chance(0.5) ? `[${texts.join(',')}]` : texts.join('\n');
}

/** Whether a frame found the buffer full: it is rejected as a whole, whatever it contains. */
export function isFull({ code, events }: Pick<NackError, 'code' | 'events'>): boolean {
  return code === 'buffer_full' && events === undefined;
}

/** Checks whether the code fits the event. */
export function checkRefusal(
  { id, flavour }: SimEvent,
  error: Pick<NackError, 'code' | 'events'>,
  report: Report,
): void {
  const { code } = error;
  if (flavour === 'wrong') {
    report.count('schema refused');
    // A frame may be too long as a whole, whatever it contains.
    const right = code === 'schema' || code === 'too_large' || isFull(error);
    report.demand(right, `${id} violates the schema, and is rejected with ${code}`);
  } else if (flavour === 'stray') {
    report.count('unknown stream refused');
    const right = code === 'unknown_stream' || code === 'too_large';
    report.demand(right, `${id} has no stream, and is rejected with ${code}`);
  } else {
    const right = code !== 'schema' && code !== 'unknown_stream';
    report.demand(right, `${id} is valid, and is rejected with ${code}`);
  }
  if (code === 'buffer_full')
    report.count(isFull(error) ? 'buffer full for a frame' : 'buffer full');
}

/** Events of simulated clients. Each carries its id in its text, which identifies it in the log. */

import type { SeededRandom } from '../../testing/random.ts';
import { BAD_RECORD } from './faults.ts';
import { Destinations, idSuffix } from './streams.ts';

/** `bad`: Kafka always rejects it. `wrong`: it violates the schema. `stray`: it has no stream. */
export type Flavour = 'good' | 'bad' | 'wrong' | 'stray';

export interface SimEvent {
  readonly id: string;
  readonly key: string;
  /** Member that names its stream; '' = none. */
  readonly field: string;
  /** Its topic depends on the version of the streams. */
  readonly moves: boolean;
  readonly flavour: Flavour;
  readonly fill: string;
  /** Number of times it was sent; part of its text. */
  attempt: number;
}

const FILL = 'x'.repeat(4_096);

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
    const { topic, field, hasSchema, isUnknown, moves } = this.#destinations.next(random);
    const isBad = random.chance(this.#badRate);
    const bad = hasSchema ? random.pick(['bad', 'wrong'] as const) : 'bad';
    return {
      id: `${this.#name}-${this.#made++}${idSuffix(topic)}`,
      key: random.pick(this.#keys),
      field,
      moves,
      flavour: isUnknown ? 'stray' : isBad ? bad : 'good',
      fill: FILL.slice(0, Math.floor(random.log(1, random.chance(0.05) ? 2_500 : 120))),
      attempt: 0,
    };
  }
}

export function textOf({ id, attempt, key, field, flavour, fill }: SimEvent): string {
  const head = `{"id":"${id}","attempt":${attempt},${field}`;
  const message = flavour === 'bad' ? `${BAD_RECORD}${fill}"` : `"msg":"${fill}"`;
  return `${head}${message},"clientId":"${key}","timestamp":${flavour === 'wrong' ? '"now"' : 1}}`;
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

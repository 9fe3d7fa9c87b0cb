import assert from 'node:assert/strict';
import { EXIT, StartError } from '../common/errors.ts';
import type { Config } from '../config/config.ts';
import { LIMITS } from '../config/limits.ts';
import type { MetricSnapshot } from '../metrics/counters.ts';
import { KEY_CELLS, STREAM_CELLS, STREAMS_START } from '../metrics/layout.ts';
import {
  declaredSlots,
  IMPLICIT_SLOTS,
  JWT_KEYS,
  type MetricSlots,
  OTHER_KEYS,
  withKeys,
  withStreams,
} from '../metrics/slots.ts';
import type { StreamFile } from '../streams/stream-file.ts';

type TokenSettings = Pick<Config, 'jwtJwksFile' | 'jwtJwksUrl'>;

/** A label value and its slot. */
export interface LabelSlot {
  readonly name: string;
  readonly slot: number;
}

/**
 * Assigns the slots of the layout to streams and API keys. A slot is never assigned twice: the
 * series of removed streams and keys stay, and workers of different versions agree about all slots
 * that both know.
 */
export class SlotAssignment {
  #current: MetricSlots;
  /** Cells in use by version: those of streams and all before them, and those of keys. */
  readonly #sizes = new Map<number, readonly [number, number]>();
  /** Labels of {@link OTHER_KEYS} and {@link JWT_KEYS} with series. */
  readonly #reserved = new Set<string>();

  /**
   * @param streams names of the streams; undefined without a stream file
   * @param hasTokens whether clients may authenticate with JWTs
   */
  constructor(streams?: readonly string[], hasTokens = false) {
    this.#current = streams === undefined ? IMPLICIT_SLOTS : declaredSlots(streams);
    this.#recordSize();
    if (hasTokens) this.#reserved.add(JWT_KEYS);
  }

  /** Assigns slots to the streams at the start. @param file undefined without a stream file */
  static of({ jwtJwksFile, jwtJwksUrl }: TokenSettings, file: StreamFile | undefined) {
    const names = file?.streams.map(({ name }) => name);
    return new SlotAssignment(names, (jwtJwksFile ?? jwtJwksUrl) !== undefined);
  }

  /** Slots that workers use from now on. */
  get current(): MetricSlots {
    return this.#current;
  }

  /** Streams with series, among them removed ones. */
  get streams(): readonly LabelSlot[] {
    return this.#current.streams.map((name, slot) => ({ name, slot }));
  }

  /** API keys with series, among them removed ones. */
  get keys(): readonly LabelSlot[] {
    const isReserved = (name: string) => name === OTHER_KEYS || name === JWT_KEYS;
    const all = this.#current.keys.map((name, slot) => ({ name, slot }));
    return all.filter(({ name }) => !isReserved(name) || this.#reserved.has(name));
  }

  /**
   * Assigns slots to the streams of a stream file.
   * @returns the current slots
   * @throws StartError if there are not enough; nothing is assigned then
   */
  assignStreams(names: readonly string[]): MetricSlots {
    const extended = withStreams(this.#current, names);
    if (extended === undefined) {
      throw new StartError(
        `FOREBAY_STREAMS_FILE: more than ${LIMITS.streams} different streams since the start, ` +
          'removed ones included; each has series in the metrics until a restart of the instance',
        EXIT.configuration,
      );
    }
    return this.#extend(extended);
  }

  /** Assigns slots to API keys, as far as there are enough. @returns the current slots */
  assignKeys(names: readonly string[]): MetricSlots {
    const extended = withKeys(this.#current, names);
    const assigned = new Set(extended.keys);
    if (!names.every((name) => assigned.has(name))) this.#reserved.add(OTHER_KEYS);
    for (const name of names) {
      if (name === OTHER_KEYS || name === JWT_KEYS) this.#reserved.add(name);
    }
    return this.#extend(extended);
  }

  /** Checks that a snapshot has the slots of its version. */
  check({ version, values, keyValues }: MetricSnapshot): void {
    const size = this.#sizes.get(version);
    const hasSize = size?.[0] === values.length && size[1] === keyValues.length;
    assert(hasSize, 'primary and workers share one layout');
  }

  #extend(extended: MetricSlots): MetricSlots {
    this.#current = extended;
    this.#recordSize();
    return extended;
  }

  #recordSize(): void {
    const { version, streams, keys } = this.#current;
    const streamsEnd = STREAMS_START + streams.length * STREAM_CELLS;
    this.#sizes.set(version, [streamsEnd, keys.length * KEY_CELLS]);
  }
}

/**
 * Slots of the layout that belong to streams and API keys. The primary assigns them; a slot is not
 * assigned again while the primary lives, so that the series of a removed stream stay.
 */
import assert from 'node:assert/strict';
import { LIMITS } from '../config/limits.ts';
import { DEFAULT_STREAM } from '../streams/stream-file.ts';
import { KEY_CELLS, STREAM_CELLS } from './layout.ts';

/** Label of events without a stream; no stream has this name. */
export const NO_STREAM = '(none)';
/** Labels of the keys without a slot, and of all JWTs. */
export const OTHER_KEYS = 'other';
export const JWT_KEYS = 'jwt';
const RESERVED_KEYS = [OTHER_KEYS, JWT_KEYS] as const;

/** Names by slot. A later version has further names. */
export interface MetricSlots {
  readonly version: number;
  /** The first is {@link NO_STREAM}, or without a stream file the only stream. */
  readonly streams: readonly string[];
  /** The first are {@link OTHER_KEYS} and {@link JWT_KEYS}. */
  readonly keys: readonly string[];
}

/** Slots of an instance without a stream file. */
export const IMPLICIT_SLOTS: MetricSlots = {
  version: 1,
  streams: [DEFAULT_STREAM],
  keys: RESERVED_KEYS,
};

/** Returns the slots of an instance whose stream file has these streams. */
export function declaredSlots(streams: readonly string[]): MetricSlots {
  return withStreams({ ...IMPLICIT_SLOTS, version: 0, streams: [NO_STREAM] }, streams)!;
}

/**
 * Returns the slots with those of further streams.
 * @returns undefined if there are not enough
 */
export function withStreams(
  slots: MetricSlots,
  streams: readonly string[],
): MetricSlots | undefined {
  const added = [...new Set(streams)].filter((name) => !slots.streams.includes(name));
  if (added.length === 0) return slots;
  const names = [...slots.streams, ...added];
  if (names.length > LIMITS.streams + 1) return undefined;
  return { ...slots, version: slots.version + 1, streams: names };
}

/** Returns the slots with those of further API keys, as far as there are enough. */
export function withKeys(slots: MetricSlots, keys: readonly string[]): MetricSlots {
  const known = new Set(slots.keys);
  const left = LIMITS.meteredKeys + RESERVED_KEYS.length - slots.keys.length;
  const added = [...new Set(keys)].filter((name) => !known.has(name)).slice(0, left);
  if (added.length === 0) return slots;
  return { ...slots, version: slots.version + 1, keys: [...slots.keys, ...added] };
}

/** Returns the offset of a stream's cells from those of the first slot. */
export function streamCellsOf({ streams }: MetricSlots, name: string): number {
  const slot = streams.indexOf(name);
  assert(slot >= 0, `the stream ${name} has a slot`);
  return slot * STREAM_CELLS;
}

/** Returns the stream with these cells; undefined without a stream file. */
export function declaredStreamAt({ streams }: MetricSlots, cells: number): string | undefined {
  return streams[0] === NO_STREAM ? streams[cells / STREAM_CELLS] : undefined;
}

/** Returns the offsets of the cells of API keys from those of the first slot, by name. */
export function keyCellsByName({ keys }: MetricSlots): ReadonlyMap<string, number> {
  return new Map(keys.map((name, slot) => [name, slot * KEY_CELLS]));
}

/** Offset of the cells of events without a stream. */
export const NO_STREAM_CELLS = 0;
/** Offset of the cells of {@link OTHER_KEYS} and of {@link JWT_KEYS}; of clients without a key. */
export const OTHER_KEY_CELLS = 0;
export const JWT_KEY_CELLS = KEY_CELLS;
export const NO_KEY_CELLS = -1;

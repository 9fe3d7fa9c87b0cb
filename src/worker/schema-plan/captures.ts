/** Fields of the record in plans; see EventField. */
import {
  ID,
  KEY_0,
  KEY_PARTS_MAX,
  ON_PATH,
  ROUTE,
  TIME_NUMBER,
  TIME_TEXT,
  TRACE,
} from '../decoder/kernel/layout.ts';
import type { RecordFields } from '../decoder/kernel/plan.ts';

/** Fields within a value. */
export interface Captures {
  readonly id: number;
  /** Bits of the fields that the value fills itself. */
  bits: number;
  readonly inner: Map<string, Captures>;
}

/**
 * Returns the captures of an event; undefined = none.
 * @throws RangeError if the key has too many fields
 */
export function capturesOf(fields: RecordFields): Captures | undefined {
  const { key = [], id, trace, time, isTimeText = false, route } = fields;
  if (key.length > KEY_PARTS_MAX) {
    throw new RangeError(`the key has more than ${KEY_PARTS_MAX} fields`);
  }
  let count = 0;
  const create = (): Captures => ({ id: ++count, bits: 0, inner: new Map() });
  const event = create();
  const within = (at: Captures, name: string): Captures => {
    const inner = at.inner.get(name) ?? create();
    at.inner.set(name, inner);
    return inner;
  };
  const add = (name: string | undefined, bit: number): void => {
    if (name === undefined) return;
    // A name with dots takes precedence; if both exist, the event is undecided.
    within(event, name).bits |= bit;
    const path = name.split('.');
    if (path.length === 1) return;
    let at = event;
    for (const [index, step] of path.entries()) {
      at = within(at, step);
      at.bits |= index === path.length - 1 ? bit : ON_PATH;
    }
  };
  for (const [index, name] of key.entries()) add(name, KEY_0 << index);
  add(id, ID);
  add(trace, TRACE);
  add(time, isTimeText ? TIME_TEXT : TIME_NUMBER);
  add(route, ROUTE);
  return event.inner.size === 0 ? undefined : event;
}

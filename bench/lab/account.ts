/**
 * Compares the reports of load clients with a topic. A compact ledger for a million events: one
 * byte per event, located by the event's id `run-connection-number`.
 */
import type { LoadReport } from '../load/messages.ts';
import { CONNECTION_DIGITS, NUMBER_DIGITS } from '../load/packet.ts';

const STORED = 1;
const REFUSED = 2;
const UNCERTAIN = 4;
const SETTLED = 8;

/** Number of events per violation. */
export interface Balance {
  readonly sent: number;
  readonly stored: number;
  /** Acknowledged but not stored. */
  readonly missing: number;
  readonly doubled: number;
  /** Stored but never sent, or under a wrong key. */
  readonly phantom: number;
  /** Rejected as not stored, but stored. */
  readonly refusedStored: number;
  /** Stored after a later event of the same connection. */
  readonly disordered: number;
}

interface Connection {
  readonly key: string;
  readonly flags: Uint8Array;
  last: number;
}

/** Id of an event, anywhere in its text. */
const ID = new RegExp(`"([a-z0-9]{1,8})-(\\d{${CONNECTION_DIGITS}})-(\\d{${NUMBER_DIGITS}})"`);

/** Part of a load client's report that counts here. */
export interface Sent {
  readonly shape: Pick<LoadReport['shape'], 'run'>;
  readonly connections: LoadReport['connections'];
}

export class Account {
  readonly #ordered: boolean;
  readonly #runs = new Map<string, Connection[]>();
  #stored = 0;
  #doubled = 0;
  #phantom = 0;
  #refusedStored = 0;
  #disordered = 0;

  /** @param ordered each connection's events have to be stored in order */
  constructor(ordered = true) {
    this.#ordered = ordered;
  }

  /** Adds the report of one run. @throws Error for a run that was added before */
  add({ shape, connections }: Sent): void {
    if (this.#runs.has(shape.run)) throw new Error(`duplicate run ${shape.run}`);
    const rows = connections.map(({ sentEvents, settledEvents, refused, uncertain }, index) => {
      const flags = new Uint8Array(sentEvents).fill(SETTLED, 0, settledEvents);
      mark(flags, refused, REFUSED);
      mark(flags, uncertain, UNCERTAIN);
      const name = String(index).padStart(CONNECTION_DIGITS, '0');
      return { key: `client-${name}`, flags, last: -1 };
    });
    this.#runs.set(shape.run, rows);
  }

  /** Begins the records of another topic; there is no order between topics. */
  nextTopic(): void {
    for (const connection of [...this.#runs.values()].flat()) connection.last = -1;
  }

  /** Adds a record of the topic; records of a partition in order. */
  record(key: Buffer | null, value: Buffer | null): void {
    this.#stored++;
    const place = value === null ? undefined : placeIn(value);
    const connection = place && this.#runs.get(place.run)?.[place.connection];
    const known = connection !== undefined && place!.event < connection.flags.length;
    if (!known || key?.toString('latin1') !== connection.key) {
      this.#phantom++;
      return;
    }
    const { event } = place!;
    const flags = connection.flags[event]!;
    connection.flags[event] = flags | STORED;
    if (flags & STORED) this.#doubled++;
    if (flags & REFUSED) this.#refusedStored++;
    if (this.#ordered && event < connection.last) this.#disordered++;
    connection.last = Math.max(connection.last, event);
  }

  /** Returns the sent events without a result: neither acknowledged nor rejected. */
  unanswered(): number {
    const without = (flags: Uint8Array) =>
      flags.reduce((count, flag) => count + (flag & (SETTLED | REFUSED | UNCERTAIN) ? 0 : 1), 0);
    return [...this.#runs.values()].flat().reduce((sum, { flags }) => sum + without(flags), 0);
  }

  balance(): Balance {
    let [sent, missing] = [0, 0];
    for (const { flags } of [...this.#runs.values()].flat()) {
      sent += flags.length;
      for (const flag of flags) if (flag === SETTLED) missing++;
    }
    return {
      sent,
      stored: this.#stored,
      missing,
      doubled: this.#doubled,
      phantom: this.#phantom,
      refusedStored: this.#refusedStored,
      disordered: this.#disordered,
    };
  }
}

/** Describes the violations; undefined if there are none. */
export function imbalanceOf(balance: Balance): string | undefined {
  const { sent, stored, ...flaws } = balance;
  const found = Object.entries(flaws).filter(([, count]) => count > 0);
  if (found.length === 0) return undefined;
  const list = found.map(([name, count]) => `${name} ${count}`).join(', ');
  return `${list} (sent ${sent}, stored ${stored})`;
}

function mark(flags: Uint8Array, ranges: readonly number[], flag: number): void {
  for (let at = 0; at < ranges.length; at += 2) {
    for (let event = ranges[at]!; event <= ranges[at + 1]!; event++) flags[event]! |= flag;
  }
}

/** Returns the event in a record; undefined if it is not an event of a run. */
function placeIn(value: Buffer): { run: string; connection: number; event: number } | undefined {
  const [found, run = '', connection, event] = ID.exec(value.toString('latin1')) ?? [];
  if (found === undefined) return undefined;
  return { run, connection: Number(connection), event: Number(event) };
}

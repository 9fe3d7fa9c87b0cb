/**
 * The ledger: what was sent, what the gateway said of it, and what is in the topic. Each send is a
 * row; columns are typed arrays, so that a million sends stay cheap:
 *
 *   row      0        1        2         3
 *   name     a        b        a#2       c          id, and the attempt from the second on
 *   flags    acked    refused  acked     -
 *   stream   0        0        0         1          connection and key: order holds within one
 *
 * It is kept per incarnation of the topic. Two calls stand around a deletion, and say of what was
 * acknowledged where it must be when the topic that is there in the end is read:
 *
 *   sent       before topicDeleting()      until newIncarnation()     after
 *              acknowledged before it      or acknowledged later
 *   must be    deleted with the topic      in either, or deleted      in the topic
 */
import { EVENT_CODES, type EventCode } from '../src/common/errors.ts';
import type { TopicRecord } from './topic.ts';

const ACKNOWLEDGED = 1;
const REFUSED = 2;
/** Told `timeout`: it may be stored or not. */
const UNCERTAIN = 4;
/** Acknowledged before the topic was deleted. */
const DELETED = 8;

export interface SendFacts {
  /** The record's key that is expected; left out = not checked. */
  readonly key?: string | null;
  /** What the events share whose order counts: a connection's name. Left out = not checked. */
  readonly connection?: string;
}

/** Sends that were settled so; lists name them `id` or `id#attempt`. */
export interface Verdict {
  readonly sent: number;
  readonly acknowledged: number;
  readonly refused: number;
  /** Records in the topic. */
  readonly stored: number;
  /** Acknowledged and not stored, since an earlier incarnation of the topic had it: allowed. */
  readonly deleted: number;
  /** Acknowledged and not stored. */
  readonly missing: readonly string[];
  /** The same (id, attempt) stored more than once, in an earlier incarnation included. */
  readonly doubled: readonly string[];
  /** Stored and never sent; what has no id is named by partition and offset. */
  readonly phantom: readonly string[];
  /** Refused with a code that says it is not stored, and stored all the same. */
  readonly refusedStored: readonly string[];
  /** Stored under another key than the sender's. */
  readonly wrongKey: readonly string[];
  /** Stored after a later event of the same connection and key. */
  readonly disordered: readonly string[];
  /** Stored without a word to the sender, or after `timeout`: allowed. */
  readonly unacknowledgedStored: number;
  /** None of the lists names anything. */
  readonly clean: boolean;
}

const LISTS = [
  'missing',
  'doubled',
  'phantom',
  'refusedStored',
  'wrongKey',
  'disordered',
] as const satisfies readonly (keyof Verdict)[];

export class Ledger {
  readonly #idField: string;
  readonly #rows = new Map<string, number>();
  /** Last attempt of the ids that were sent more than once. */
  readonly #attempts = new Map<string, number>();
  readonly #streams = new Map<string, number>();
  readonly #keys: (string | null | undefined)[] = [];
  #flags = new Uint8Array(1024);
  #streamOf = new Int32Array(1024);
  /** Streams of a connection. */
  readonly #ordered = new Set<number>();
  /** The first row that can only be in the topic as it is now. */
  #firstOfIncarnation = 0;

  constructor(idField = 'id') {
    this.#idField = idField;
  }

  /** Sends noted so far, each attempt counted. */
  get size(): number {
    return this.#rows.size;
  }

  /**
   * Notes that an event goes out now. `attempt` counts from 1 and stands in the event.
   * @throws Error when the same attempt was noted before
   */
  sent(id: string, attempt = 1, facts: SendFacts = {}): void {
    const name = nameOf(id, attempt);
    if (this.#rows.has(name)) throw new Error(`${name} was sent before`);
    const row = this.#rows.size;
    if (row === this.#flags.length) this.#grow();
    this.#rows.set(name, row);
    this.#streamOf[row] = this.#stream(facts);
    if (attempt > 1) this.#attempts.set(id, attempt);
  }

  /** The gateway said that it is stored. Without `attempt`: the last one that was sent. */
  acknowledged(id: string, attempt = this.#attempts.get(id) ?? 1): void {
    this.#mark(nameOf(id, attempt), ACKNOWLEDGED);
  }

  /** The gateway said that it is not stored (or, with `timeout`, that it may be). */
  refused(id: string, code: EventCode, attempt = this.#attempts.get(id) ?? 1): void {
    if (!Object.hasOwn(EVENT_CODES, code)) throw new Error(`${code} is not in the catalogue`);
    this.#mark(nameOf(id, attempt), code === 'timeout' ? REFUSED | UNCERTAIN : REFUSED);
  }

  /**
   * The topic is deleted from now on, not earlier: what was acknowledged until now goes with it,
   * and must not be in the next incarnation.
   */
  topicDeleting(): void {
    for (const row of this.#rows.values()) {
      if (this.#flags[row]! & ACKNOWLEDGED) this.#flags[row]! |= DELETED;
    }
  }

  /**
   * The old topic takes nothing any more, on any broker, and a new one is there: what is sent from
   * now on and acknowledged must be in the new one.
   */
  newIncarnation(): void {
    this.#firstOfIncarnation = this.#rows.size;
  }

  /** Holds the ledger against what the topic has; records of one partition in their order. */
  reconcile(records: Iterable<TopicRecord>): Verdict {
    const stored = new Uint8Array(this.#rows.size);
    const lists = Object.fromEntries(LISTS.map((list) => [list, [] as string[]])) as {
      [L in (typeof LISTS)[number]]: string[];
    };
    const lastOfStream = new Map<string, number>();
    let count = 0;
    for (const record of records) {
      count++;
      const name = this.#nameIn(record);
      const row = this.#rows.get(name);
      if (row === undefined) {
        lists.phantom.push(name);
        continue;
      }
      if (stored[row] === 1 || this.#flags[row]! & DELETED) lists.doubled.push(name);
      stored[row] = 1;
      if (this.#notStored(row)) lists.refusedStored.push(name);
      if (this.#otherKey(row, record)) lists.wrongKey.push(name);
      if (this.#outOfOrder(row, record, lastOfStream)) lists.disordered.push(name);
    }
    let [acknowledged, refused, deleted, unacknowledgedStored] = [0, 0, 0, 0];
    for (const [name, row] of this.#rows) {
      const flags = this.#flags[row]!;
      if (flags & ACKNOWLEDGED) acknowledged++;
      if (flags & REFUSED) refused++;
      if (flags & ACKNOWLEDGED && stored[row] === 0) {
        if (row < this.#firstOfIncarnation) deleted++;
        else lists.missing.push(name);
      }
      if (!(flags & ACKNOWLEDGED) && stored[row] === 1) unacknowledgedStored++;
    }
    const clean = LISTS.every((list) => lists[list].length === 0);
    const figures = { sent: this.#rows.size, acknowledged, refused, stored: count, deleted };
    return { ...figures, ...lists, unacknowledgedStored, clean };
  }

  #mark(name: string, flags: number): void {
    const row = this.#rows.get(name);
    if (row === undefined) throw new Error(`${name} was settled and never sent`);
    const before = this.#flags[row]!;
    if (before !== 0) throw new Error(`${name} was settled twice`);
    this.#flags[row] = flags;
  }

  #notStored(row: number): boolean {
    const flags = this.#flags[row]!;
    return (flags & REFUSED) !== 0 && (flags & UNCERTAIN) === 0;
  }

  #otherKey(row: number, record: TopicRecord): boolean {
    const expected = this.#keys[this.#streamOf[row]!];
    return expected !== undefined && (record.key?.toString('utf8') ?? null) !== expected;
  }

  /** Rows are numbered in the order of sending: within a stream they must rise. */
  #outOfOrder(row: number, { partition }: TopicRecord, last: Map<string, number>): boolean {
    const stream = this.#streamOf[row]!;
    if (!this.#ordered.has(stream)) return false;
    const place = `${partition}/${stream}`;
    const before = last.get(place) ?? -1;
    last.set(place, Math.max(before, row));
    return row < before;
  }

  #nameIn({ partition, offset, value }: TopicRecord): string {
    try {
      const event = JSON.parse(value?.toString('utf8') ?? '') as Record<string, unknown>;
      const id = event[this.#idField];
      const attempt = event.attempt ?? 1;
      if (typeof id === 'string' && typeof attempt === 'number') return nameOf(id, attempt);
    } catch {
      // Named by its place below.
    }
    return `partition ${partition} offset ${offset}`;
  }

  /** Stream 0: neither key nor order is checked. */
  #stream({ key, connection }: SendFacts): number {
    if (this.#keys.length === 0) this.#keys.push(undefined);
    if (key === undefined && connection === undefined) return 0;
    const name = JSON.stringify([connection, key]);
    const known = this.#streams.get(name);
    if (known !== undefined) return known;
    const stream = this.#keys.push(key) - 1;
    this.#streams.set(name, stream);
    if (connection !== undefined) this.#ordered.add(stream);
    return stream;
  }

  #grow(): void {
    const [flags, streamOf] = [this.#flags, this.#streamOf];
    this.#flags = new Uint8Array(flags.length * 2);
    this.#flags.set(flags);
    this.#streamOf = new Int32Array(streamOf.length * 2);
    this.#streamOf.set(streamOf);
  }
}

function nameOf(id: string, attempt: number): string {
  return attempt === 1 ? id : `${id}#${attempt}`;
}

const EXAMPLES_MAX = 5;

/** A verdict in lines for people: the figures, and the first names of each list that has any. */
export function describeVerdict(verdict: Verdict): string[] {
  const { sent, acknowledged, refused, stored, deleted, unacknowledgedStored } = verdict;
  const settled = `acknowledged ${acknowledged}, refused ${refused}, stored ${stored}`;
  const lines = [`sent ${sent}, ${settled} (${unacknowledgedStored} of them not acknowledged)`];
  if (deleted > 0) lines.push(`deleted with the topic ${deleted}`);
  for (const list of LISTS) {
    const names = verdict[list];
    if (names.length === 0) continue;
    const more = names.length > EXAMPLES_MAX ? ' …' : '';
    lines.push(`${list} ${names.length}: ${names.slice(0, EXAMPLES_MAX).join(' ')}${more}`);
  }
  return lines;
}

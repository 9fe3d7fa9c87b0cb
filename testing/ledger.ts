/**
 * The ledger: events sent, their results from the gateway, and the records of the topic. Each send
 * is a row; columns are typed arrays, so that a million sends stay cheap:
 *
 *   row      0        1        2         3
 *   name     a        b        a#2       c          id, and the attempt from the second on
 *   flags    acked    refused  acked     -
 *   stream   0        0        0         1          connection and key: order holds within one
 *
 * It is kept per incarnation of the topic. Two calls enclose a deletion, and determine where
 * acknowledged events must be when the final topic is read:
 *
 *   sent       before topicDeleting()      until newIncarnation()     after
 *              acknowledged before it      or acknowledged later
 *   must be    deleted with the topic      in either, or deleted      in the topic
 */
import { EVENT_CODES, type EventCode } from '../src/common/errors.ts';
import { hasHeader, RESENT_HEADER } from '../src/kafka/record-headers.ts';
import { eventIn, readableValue } from '../src/kafka/record-value.ts';
import type { TopicRecord } from './topic.ts';

const ACKNOWLEDGED = 1;
const REFUSED = 2;
/** Settled with `timeout`: stored or not. */
const UNCERTAIN = 4;
/** Acknowledged before the topic was deleted. */
const DELETED = 8;
/** Sent with a declaration: its record has the mark of a possible repeat. */
const DECLARED = 16;
/** Sent without one. */
const UNDECLARED = 32;
const RESULTS = ACKNOWLEDGED | REFUSED;

export interface SendFacts {
  /** Expected key of the record; undefined = not checked. */
  readonly key?: string | null;
  /** Connection within which order is checked; undefined = not checked. */
  readonly connection?: string;
  /** Its sender declared it as a possible repeat; undefined = its mark is not checked. */
  readonly isRepeat?: boolean;
}

export interface LedgerOptions {
  /** Records of possible repeats are marked. */
  readonly hasMarks?: boolean;
}

/** Sends by result; lists name them `id` or `id#attempt`. */
export interface Reconciliation {
  readonly sent: number;
  readonly acknowledged: number;
  readonly refused: number;
  /** Records in the topic. */
  readonly stored: number;
  /** Acknowledged and not stored, since an earlier incarnation of the topic had it: allowed. */
  readonly deleted: number;
  /** Acknowledged but not stored. */
  readonly missing: readonly string[];
  /** The same (id, attempt) stored more than once, including in an earlier incarnation. */
  readonly doubled: readonly string[];
  /** Stored but never sent; records without an id are named by partition and offset. */
  readonly phantom: readonly string[];
  /** Rejected with a code that means not stored, but stored. */
  readonly refusedStored: readonly string[];
  /** Stored under another key than the sender's. */
  readonly wrongKey: readonly string[];
  /** Stored after a later event of the same connection and key. */
  readonly disordered: readonly string[];
  /** Ids stored more than once without the mark of a possible repeat. */
  readonly unmarked: readonly string[];
  /** Stored with the mark although not declared, or without it although declared. */
  readonly wrongMark: readonly string[];
  /** Records with the mark. */
  readonly marked: number;
  /** Stored without a result for the sender, or after `timeout`: allowed. */
  readonly unacknowledgedStored: number;
  /** All lists are empty. */
  readonly clean: boolean;
}

const LISTS = [
  'missing',
  'doubled',
  'phantom',
  'refusedStored',
  'wrongKey',
  'disordered',
  'unmarked',
  'wrongMark',
] as const satisfies readonly (keyof Reconciliation)[];

export class Ledger {
  readonly #hasMarks: boolean;
  readonly #rows = new Map<string, number>();
  /** Last attempt of ids that were sent more than once. */
  readonly #attempts = new Map<string, number>();
  readonly #streams = new Map<string, number>();
  readonly #keys: (string | null | undefined)[] = [];
  #flags = new Uint8Array(1024);
  #streamOf = new Int32Array(1024);
  /** Streams of a connection. */
  readonly #ordered = new Set<number>();
  /** First row that can only be in the current topic. */
  #firstOfIncarnation = 0;

  constructor({ hasMarks = false }: LedgerOptions = {}) {
    this.#hasMarks = hasMarks;
  }

  /** Number of sends so far, counting each attempt. */
  get size(): number {
    return this.#rows.size;
  }

  /**
   * Records that an event is being sent. `attempt` counts from 1 and is part of the event.
   * @throws Error if the same attempt was recorded before
   */
  sent(id: string, attempt = 1, facts: SendFacts = {}): void {
    const name = nameOf(id, attempt);
    if (this.#rows.has(name)) throw new Error(`${name} was already sent`);
    const row = this.#rows.size;
    if (row === this.#flags.length) this.#grow();
    this.#rows.set(name, row);
    this.#streamOf[row] = this.#stream(facts);
    const { isRepeat } = facts;
    if (isRepeat !== undefined) this.#flags[row] = isRepeat ? DECLARED : UNDECLARED;
    if (attempt > 1) this.#attempts.set(id, attempt);
  }

  /** The gateway reported it as stored. Without `attempt`: the latest one. */
  acknowledged(id: string, attempt = this.#attempts.get(id) ?? 1): void {
    this.#mark(nameOf(id, attempt), ACKNOWLEDGED);
  }

  /** The gateway reported it as not stored (or, with `timeout`, as possibly stored). */
  refused(id: string, code: EventCode, attempt = this.#attempts.get(id) ?? 1): void {
    if (!Object.hasOwn(EVENT_CODES, code)) throw new Error(`${code} is not in the catalogue`);
    this.#mark(nameOf(id, attempt), code === 'timeout' ? REFUSED | UNCERTAIN : REFUSED);
  }

  /**
   * The topic is being deleted from now on, not earlier: events acknowledged so far are deleted
   * with it, and must not be in the next incarnation.
   */
  topicDeleting(): void {
    for (const row of this.#rows.values()) {
      if (this.#flags[row]! & ACKNOWLEDGED) this.#flags[row]! |= DELETED;
    }
  }

  /**
   * The old topic accepts no records on any broker, and a new one exists: events sent and
   * acknowledged from now on must be in the new one.
   */
  newIncarnation(): void {
    this.#firstOfIncarnation = this.#rows.size;
  }

  /** Compares the ledger with the topic's records; records of a partition in order. */
  reconcile(records: Iterable<TopicRecord>): Reconciliation {
    const stored = new Uint8Array(this.#rows.size);
    const lists = Object.fromEntries(LISTS.map((list) => [list, [] as string[]])) as {
      [L in (typeof LISTS)[number]]: string[];
    };
    const lastOfStream = new Map<string, number>();
    /** Number of unmarked copies of ids that were sent more than once. */
    const unmarked = new Map<string, number>();
    let [count, marked] = [0, 0];
    for (const record of records) {
      count++;
      const isMarked = hasHeader(record.headers ?? [], RESENT_HEADER);
      if (isMarked) marked++;
      const sent = this.#sentIn(record);
      const name = sent?.name ?? `partition ${record.partition} offset ${record.offset}`;
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
      if (!this.#hasMarks) continue;
      if (this.#flags[row]! & (isMarked ? UNDECLARED : DECLARED)) lists.wrongMark.push(name);
      const { id } = sent!;
      if (isMarked || !this.#attempts.has(id)) continue;
      const copies = (unmarked.get(id) ?? 0) + 1;
      if (copies === 2) lists.unmarked.push(id);
      unmarked.set(id, copies);
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
    const figures = {
      sent: this.#rows.size,
      acknowledged,
      refused,
      stored: count,
      deleted,
      marked,
    };
    return { ...figures, ...lists, unacknowledgedStored, clean };
  }

  #mark(name: string, flags: number): void {
    const row = this.#rows.get(name);
    if (row === undefined) throw new Error(`${name} was settled but never sent`);
    if (this.#flags[row]! & RESULTS) throw new Error(`${name} was settled twice`);
    this.#flags[row]! |= flags;
  }

  #notStored(row: number): boolean {
    const flags = this.#flags[row]!;
    return (flags & REFUSED) !== 0 && (flags & UNCERTAIN) === 0;
  }

  #otherKey(row: number, record: TopicRecord): boolean {
    const expected = this.#keys[this.#streamOf[row]!];
    return expected !== undefined && (record.key?.toString('utf8') ?? null) !== expected;
  }

  /** Rows are numbered in send order: within a stream they must ascend. */
  #outOfOrder(row: number, { partition }: TopicRecord, last: Map<string, number>): boolean {
    const stream = this.#streamOf[row]!;
    if (!this.#ordered.has(stream)) return false;
    const place = `${partition}/${stream}`;
    const before = last.get(place) ?? -1;
    last.set(place, Math.max(before, row));
    return row < before;
  }

  /** Returns id and name of the send in a record; undefined = it has no id. */
  #sentIn(record: TopicRecord): { id: string; name: string } | undefined {
    const { id, attempt = 1 } = eventIn(readableValue(record)) ?? {};
    if (typeof id !== 'string' || typeof attempt !== 'number') return undefined;
    return { id, name: nameOf(id, attempt) };
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

/** Describes a reconciliation: the figures, and the first names of each non-empty list. */
export function describeReconciliation(verdict: Reconciliation): string[] {
  const { sent, acknowledged, refused, stored, deleted, unacknowledgedStored } = verdict;
  const settled = `acknowledged ${acknowledged}, rejected ${refused}, stored ${stored}`;
  const lines = [`sent ${sent}, ${settled} (${unacknowledgedStored} without acknowledgement)`];
  if (deleted > 0) lines.push(`deleted with the topic ${deleted}`);
  for (const list of LISTS) {
    const names = verdict[list];
    if (names.length === 0) continue;
    const more = names.length > EXAMPLES_MAX ? ' …' : '';
    lines.push(`${list} ${names.length}: ${names.slice(0, EXAMPLES_MAX).join(' ')}${more}`);
  }
  return lines;
}

/** One-line status of the instance: the most severe condition, its start, the next step. */
import type { OutageNotice } from '../../ipc.ts';
import type { RestartFailure } from '../rolling-restart.ts';
import { COLUMNS, type Point } from './columns.ts';

/** Points that count as current. */
export const NOW = 10;
/** Reason of an instance that is not ready because its buffer is full. */
const BUFFER = /^the buffer reached/;
const WAITING_SECONDS = 5;
/** Rejections caused by the sender, not by the gateway. */
const SENDERS_FAULT =
  /^(invalid_|not_an_object|schema|too_|rate_limited|unknown_stream|forbidden_stream)/;

export interface State {
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly unaccounted: number;
  /** States of each slot's workers. */
  readonly states: readonly (readonly string[])[];
  readonly outage: OutageNotice | undefined;
  readonly restartFailure: RestartFailure | undefined;
}

/** `good`, `idle` (no events), `wait` (needs a look) or `bad` (events are lost or rejected). */
export type Kind = 'good' | 'idle' | 'wait' | 'bad';

export interface Summary {
  readonly kind: Kind;
  /** Contains no values that change every second: screen readers repeat it on each change. */
  readonly text: string;
  /** Next step; '' = none. */
  readonly todo: string;
  /** Section of docs/operations.md with the further steps; '' = none. */
  readonly section: string;
  /** Start of the state in ms since 1970; undefined = the point that first showed it. */
  readonly sinceMs?: number;
}

export function summaryOf(points: readonly Point[], state: State): Summary {
  const recent = new Recent(points);
  return bad(recent, state) ?? doubtful(recent, state) ?? good(recent);
}

/** Current summary and its start; details of its text may change meanwhile. */
export class SummaryTracker {
  readonly #points: Point[] = [];
  #summary: Summary = summary('idle', 'Starting', '', '');
  #since: { readonly what: string; readonly ms: number };

  /** @param nowMs ms since 1970 */
  constructor(nowMs: number) {
    this.#since = { what: '', ms: nowMs };
  }

  /** Handles the last point; its first column is its time, in ms since 1970. */
  update(point: Point, state: State): void {
    this.#points.push(point);
    if (this.#points.length > NOW) this.#points.shift();
    this.#summary = summaryOf(this.#points, state);
    const { kind, text, sinceMs = point[AT] ?? 0 } = this.#summary;
    // Text after a colon or semicolon is detail.
    const what = `${kind} ${text.split(/[:;]/, 1).join()}`;
    if (what !== this.#since.what) this.#since = { what, ms: sinceMs };
  }

  get current(): Summary & { readonly sinceMs: number } {
    return { ...this.#summary, sinceMs: this.#since.ms };
  }
}

const AT = COLUMNS.indexOf('at');

/** Sums over the current points. */
class Recent {
  readonly #points: readonly Point[];

  constructor(points: readonly Point[]) {
    this.#points = points.slice(-NOW);
  }

  last(column: string): number {
    return this.#points.at(-1)?.[COLUMNS.indexOf(column)] ?? 0;
  }

  sum(column: string): number {
    const index = COLUMNS.indexOf(column);
    return this.#points.reduce((sum, point) => sum + (point[index] ?? 0), 0);
  }

  /** Suffixes of the columns with this prefix that counted something. */
  kinds(prefix: string): string[] {
    return COLUMNS.filter((name) => name.startsWith(`${prefix}.`) && this.sum(name) > 0).map(
      (name) => name.slice(prefix.length + 1),
    );
  }
}

function bad(recent: Recent, { ready, reasons, unaccounted, outage }: State): Summary | undefined {
  if (unaccounted !== 0) {
    return summary(
      'bad',
      'Events are unaccounted for: a defect of Forebay',
      'Keep /metrics and the log, and report it',
      'ForebayEventsUnaccounted',
    );
  }
  // A full buffer is a consequence of the outage; the other reasons are more specific.
  const isOnlyBuffer = reasons.every((reason) => BUFFER.test(reason));
  if (outage?.scope === 'all' && isOnlyBuffer) return ofOutage('bad', outage);
  if (!ready) return notReady(reasons);
  const dropped = recent.kinds('dropped');
  if (dropped.length > 0) {
    return summary(
      'bad',
      `Events of plain clients are dropped: ${dropped.join(', ')}`,
      'Find the bottleneck, Kafka or the CPU; plain clients are not notified of the loss',
      'ForebayDropsEvents',
    );
  }
  return undefined;
}

function notReady(reasons: readonly string[]): Summary {
  const text = `Not ready: ${reasons.join('; ')}`;
  const has = (pattern: RegExp) => reasons.some((reason) => pattern.test(reason));
  if (has(/^draining$/)) {
    return summary('wait', text, 'None: the instance exits once all events are settled', 'Stop');
  }
  if (has(/^not all workers are listening/)) {
    const todo = 'If it persists, check the log: a worker died, or failed to start';
    return summary('bad', text, todo, 'Workers that die or hang');
  }
  if (has(BUFFER)) {
    return summary('bad', text, 'Find the bottleneck, Kafka or the CPU', 'Overload');
  }
  if (has(/certificate|TLS|closed the connection/)) {
    const todo = 'Compare the TLS and SASL settings with the listener of the brokers';
    return summary('bad', text, todo, "Kafka's TLS and logins");
  }
  const todo = 'Check the brokers and topic named above, and the lines about Kafka in the log';
  return summary('bad', text, todo, 'ForebayStoresNothing');
}

function ofOutage(kind: Kind, { effect, reason, sinceMs }: OutageNotice): Summary {
  const todo =
    'Check the brokers and the network to them; do not restart this instance: waiting events ' +
    'would be lost';
  return { ...summary(kind, `Kafka outage: ${effect} (${reason})`, todo, 'Outages'), sinceMs };
}

function doubtful(recent: Recent, { states, outage, restartFailure }: State): Summary | undefined {
  if (outage !== undefined) return ofOutage('wait', outage);
  const missing = states.filter((slot) => !slot.includes('ready')).length;
  if (missing > 0) {
    const text = `Workers not ready: ${missing} of ${states.length}`;
    const todo = 'If it persists, check the log';
    return summary('wait', text, todo, 'Workers that die or hang');
  }
  if (recent.kinds('restarts').length > 0) {
    const lost = recent.kinds('lost').length > 0 ? '; its events in flight may be lost' : '';
    const text = `A worker has died and was replaced${lost}`;
    return summary('wait', text, 'Find the cause in the log', 'ForebayWorkerDied');
  }
  const refused = recent.kinds('refused').filter((code) => !SENDERS_FAULT.test(code));
  if (refused.length > 0) {
    const text = `Valid events are rejected: ${refused.join(', ')}`;
    return summary('wait', text, 'See the codes', 'Rejections');
  }
  if (recent.last('oldestSeconds') > WAITING_SECONDS) {
    const todo = 'Check the lanes below, and the leaders of their partitions';
    return summary(
      'wait',
      'Kafka is slow: some events wait for seconds',
      todo,
      'ForebayEventsWait',
    );
  }
  const errors = recent.kinds('errors');
  if (errors.length > 0) {
    const text = `Produce attempts fail and are retried: ${errors.join(', ')}`;
    return summary('wait', text, 'See the classes', 'Attempts that fail');
  }
  if (restartFailure !== undefined) {
    const { reason, sinceMs } = restartFailure;
    const text = `Rolling restart aborted, previous workers keep running: ${reason}`;
    const todo = 'Fix the cause, then restart the workers again';
    return { ...summary('wait', text, todo, 'Rolling restart'), sinceMs };
  }
  return undefined;
}

function good(recent: Recent): Summary {
  const refused = recent.kinds('refused');
  const codes = refused.join(', ');
  if (recent.sum('stored') > 0) {
    if (refused.length === 0) return summary('good', 'Events are stored', '', '');
    const text = `Events are stored; invalid ones are rejected: ${codes}`;
    return summary('good', text, 'Fix the clients that send invalid events', 'Rejections');
  }
  if (refused.length > 0) {
    const text = `No event is stored: all are rejected: ${codes}`;
    const todo = 'Find the client, and compare its events with the schema';
    return summary('wait', text, todo, 'ForebayRefusesEvents');
  }
  if (recent.sum('received') > 0) {
    return summary('wait', 'Events arrive; none is stored yet', '', '');
  }
  return summary('idle', `Ready; no events in the last ${NOW} seconds`, '', '');
}

function summary(kind: Kind, text: string, todo: string, section: string): Summary {
  return { kind, text, todo, section };
}

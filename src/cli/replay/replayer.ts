/**
 * Replays dead letters that pass validation. Invariant: each is recorded in the state file as begun
 * before its events are produced, and as done only once Kafka has confirmed them. Those of one
 * partition are produced in order, and only a bounded number of them is unconfirmed.
 */
import { EVENT_CODES, type EventCode, EXIT, StartError } from '../../common/errors.ts';
import type { DeadLetter } from '../../kafka/dead-letter.ts';
import type { StreamSpec } from '../../streams/stream-file.ts';
import type { Provenance } from '../../worker/streams/provenance.ts';
import type { Route } from '../../worker/streams/route.ts';
import type { Heartbeat } from '../listen/reader.ts';
import type { ResultListener } from './lanes.ts';
import { OffsetSet } from './offset-set.ts';
import { Pace } from './pace.ts';
import { provenanceIn } from './replay-stages.ts';
import type { Failure, ReplayReport } from './report.ts';
import type { StateFile } from './state-file.ts';

/** Produces events; see ReplayLanes. */
export interface EventLanes {
  readonly hasRoom: boolean;
  send(
    ticket: number,
    partition: number,
    letter: DeadLetter,
    route: Route,
    provenance: Provenance,
  ): void;
  freeze(): void;
}

/** Part of the state file that a replay uses. */
export type ReplayState = Pick<StateFile, 'offsets' | 'unwritten' | 'begin' | 'settle' | 'flush'>;

export interface ReplayerOptions {
  readonly state: ReplayState;
  readonly lanes: EventLanes;
  readonly report: ReplayReport;
  readonly routes: { readonly named: Route; readonly unnamed: Route };
  /** Precision of addresses in the stream. */
  readonly ip: StreamSpec['record']['ip'];
  /** Maximum number of unconfirmed dead letters of a partition. */
  readonly window: number;
  /** Events per second; undefined = no limit. */
  readonly rate: number | undefined;
  /** Time without a confirmation after which the replay fails. */
  readonly patienceMs: number;
  /** Ends the replay after the dead letters that are begun. */
  readonly signal: AbortSignal;
}

/** A dead letter whose events have no result yet. */
interface Ticket {
  readonly partition: number;
  readonly offset: number;
  /** An earlier run may have stored it. */
  readonly isInDoubt: boolean;
  /** Events without a result, and one while they are being produced. */
  left: number;
  /** Kafka has stored one of its events at least. */
  isStored: boolean;
  /** First rejection of an event of it. */
  failure: Failure | undefined;
}

/** Interval of checks while results are awaited. */
const TICK_MS = 250;
/** Interval at which the membership of the reader's group is kept. */
const HEARTBEAT_MS = 3_000;
/** Results without a definite answer, or that a replay never causes: it ends with them. */
const isFatal = (code: EventCode) => EVENT_CODES[code].retry;

export class Replayer implements ResultListener {
  readonly #options: ReplayerOptions;
  readonly #pace: Pace;
  readonly #tickets = new Map<number, Ticket>();
  #nextTicket = 0;
  /** Number of tickets by partition. */
  readonly #unconfirmed = new Map<number, number>();
  #failure: StartError | undefined;
  #progressMs = 0;
  #heartbeatMs = performance.now();
  #wake: () => void = () => {};

  constructor(options: ReplayerOptions) {
    this.#options = options;
    this.#pace = new Pace(options.rate);
  }

  /**
   * Produces dead letters of a partition, in order. Fulfilled once all are begun, or the replay is
   * to end.
   * @param heartbeat called regularly
   * @throws StartError (exit code 1) if Kafka does not confirm them in time, or the state file
   * cannot be written
   */
  async send(
    partition: number,
    letters: readonly DeadLetter[],
    heartbeat: Heartbeat,
  ): Promise<void> {
    const { state, signal, window } = this.#options;
    const open = state.offsets.open.of(partition);
    for (let at = 0; at < letters.length; ) {
      const room = () => {
        const used = this.#unconfirmed.get(partition) ?? 0;
        const known = open.sizeFrom(letters[at]!.offset);
        // The last ones of a killed run count too, but never stop this one.
        if (used === 0) return Math.max(1, window - known);
        const free = window - used - known;
        return free >= Math.min(window / 2, letters.length - at) ? free : 0;
      };
      await this.#until(() => room() > 0, heartbeat);
      const chunk = letters.slice(at, at + Math.min(room(), this.#pace.chunk));
      await this.#until(
        () => this.#pace.isDue,
        heartbeat,
        () => this.#pace.waitMs,
      );
      if (signal.aborted) return;
      this.#pace.take(chunk.length);
      const inDoubt = chunk.map(({ offset }) => open.has(offset));
      const begun = new OffsetSet();
      for (const { offset } of chunk) begun.add(offset);
      await state.begin(partition, begun);
      for (const [index, letter] of chunk.entries()) {
        await this.#untilRoom(heartbeat);
        this.#send(partition, letter, inDoubt[index]!);
      }
      at += chunk.length;
    }
  }

  /**
   * Waits for the results of all dead letters that are begun, and records them.
   * @throws StartError as {@link send}
   */
  async drain(): Promise<void> {
    while (this.#tickets.size > 0) await this.#wait(async () => {}, TICK_MS);
    this.#demandHealth();
    await this.#options.state.flush();
  }

  accepted(number: number): void {
    this.#tickets.get(number)!.left++;
  }

  stored(number: number): void {
    const ticket = this.#tickets.get(number)!;
    ticket.isStored = true;
    this.#settleEvent(number, ticket);
  }

  rejected(number: number, code: EventCode, message: string): void {
    if (isFatal(code)) return this.failed(unconfirmed(EVENT_CODES[code].text));
    const ticket = this.#tickets.get(number)!;
    ticket.failure ??= { code, message: message || EVENT_CODES[code].text };
    this.#settleEvent(number, ticket);
  }

  failed(error: StartError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    // Later events must not overtake this one.
    this.#options.lanes.freeze();
    this.#wake();
  }

  #send(partition: number, letter: DeadLetter, isInDoubt: boolean): void {
    const { routes, lanes, ip } = this.#options;
    const route = letter.stream === undefined ? routes.unnamed : routes.named;
    const number = this.#nextTicket++;
    const { offset, isResent } = letter;
    const ticket = { partition, offset, isInDoubt, left: 1, isStored: false, failure: undefined };
    if (this.#tickets.size === 0) this.#progressMs = performance.now();
    this.#tickets.set(number, ticket);
    this.#unconfirmed.set(partition, (this.#unconfirmed.get(partition) ?? 0) + 1);
    const provenance = provenanceIn(letter, isResent || isInDoubt, ip);
    lanes.send(number, partition, letter, route, provenance);
    this.#settleEvent(number, ticket);
  }

  #settleEvent(number: number, ticket: Ticket): void {
    ticket.left--;
    if (ticket.left > 0 || this.#failure !== undefined) return;
    const { partition, offset, isStored, isInDoubt, failure } = ticket;
    const { state, report } = this.#options;
    this.#tickets.delete(number);
    this.#unconfirmed.set(partition, this.#unconfirmed.get(partition)! - 1);
    if (isStored) {
      state.settle(partition, offset, 'done');
      report.replayed++;
      if (isInDoubt) report.marked++;
    } else {
      // A rejection does not disprove that an earlier run has stored it: it stays in doubt.
      if (!isInDoubt) state.settle(partition, offset, 'failed');
      if (failure !== undefined) report.addRejection(failure);
    }
    this.#progressMs = performance.now();
    this.#wake();
  }

  async #untilRoom(heartbeat: Heartbeat): Promise<void> {
    this.#demandHealth();
    while (!this.#options.lanes.hasRoom) await this.#wait(heartbeat, TICK_MS);
  }

  /** Waits for a condition, or the end of the replay. */
  async #until(isMet: () => boolean, heartbeat: Heartbeat, waitMs = () => TICK_MS): Promise<void> {
    this.#demandHealth();
    while (!isMet() && !this.#options.signal.aborted) {
      await this.#wait(heartbeat, Math.min(TICK_MS, waitMs()));
    }
  }

  /** Waits for the next result, up to `ms`. */
  async #wait(heartbeat: Heartbeat, ms: number): Promise<void> {
    this.#demandHealth();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#demandHealth();
    const nowMs = performance.now();
    if (nowMs - this.#heartbeatMs < HEARTBEAT_MS) return;
    this.#heartbeatMs = nowMs;
    // The reader joins its group again if it has lost its membership.
    await heartbeat().catch(() => {});
  }

  #demandHealth(): void {
    const { patienceMs } = this.#options;
    const isSilent = performance.now() - this.#progressMs > patienceMs;
    if (this.#failure === undefined && this.#tickets.size > 0 && isSilent) {
      this.failed(unconfirmed(`Kafka has confirmed nothing for ${patienceMs / 1000} s`));
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}

function unconfirmed(reason: string): StartError {
  return new StartError(`replay: ${reason}; run it again to resume`, EXIT.failed);
}

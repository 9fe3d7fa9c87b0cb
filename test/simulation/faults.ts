/**
 * Faults and their rates: probabilities that a seed chooses, and windows in which a fault holds for
 * a while. disasters.ts opens and closes the windows.
 */
import type { SeededRandom } from '../../testing/random.ts';
import type { Report } from './report.ts';
import { type BatchView, oldestTimestamp, type Part, valuesIn } from './wire.ts';

/** Errors after which nothing was appended. */
const DEFINITE = [2, 19, 74, 75];
/** Errors that a broker may return before and after the append. */
const OPEN = [3, 5, 6, 7, 8, 9, 13, 20, 56, -1];
const SEQUENCE = [45, 47, 59];
const DUPLICATE_SEQUENCE = 46;
/** Text of an event that Kafka always rejects. */
export const BAD_RECORD = '"msg":"BAD';

/** Probabilities; each seed has its own. */
export interface Rates {
  readonly definite: number;
  readonly openBefore: number;
  readonly openAfter: number;
  readonly sequence: number;
  readonly duplicate: number;
  readonly requestLost: number;
  readonly requestLate: number;
  readonly requestSilent: number;
  readonly responseLost: number;
  readonly missing: number;
  readonly cut: number;
}

/** No faults. */
export const CALM: Rates = {
  definite: 0,
  openBefore: 0,
  openAfter: 0,
  sequence: 0,
  duplicate: 0,
  requestLost: 0,
  requestLate: 0,
  requestSilent: 0,
  responseLost: 0,
  missing: 0,
  cut: 0,
};

/** Path of a request: it arrives after `ms`; the connection dies after `cutMs`. */
export interface Travel {
  readonly ms: number | undefined;
  readonly cutMs: number | undefined;
}

/** Fault of a whole topic. */
export type Stuck = 'leaderless' | 'denied';

/** Temporary faults with their strengths; undefined = no fault. */
export interface Windows {
  policy?: true;
  /** Topics that accept no writes. */
  stuck?: ReadonlyMap<string, Stuck>;
  /** Longer batches are rejected. */
  maxBatchBytes?: number;
  /** Batches with an older record are rejected. */
  maxAgeMs?: number;
  throttleMs?: number;
  topicMissing?: true;
  leadersHidden?: true;
  producerIds?: true;
  replicationMs?: number;
  newsMs?: number;
  lineMs?: number;
}

export class Faults {
  windows: Windows = {};
  #rates: Rates;
  readonly #random: SeededRandom;
  readonly #report: Report;
  /** Error codes by partition, producer and epoch whose state a broker has lost. */
  readonly #lost = new Map<string, number>();

  constructor(rates: Rates, random: SeededRandom, report: Report) {
    this.#rates = rates;
    this.#random = random;
    this.#report = report;
  }

  /** Ends all faults. */
  end(): void {
    this.windows = {};
    this.#rates = CALM;
  }

  /** Returns Kafka's error code for a batch that is not appended; undefined = it may be. */
  beforeAppend({ topic, partition, batch }: Part): number | undefined {
    const report = this.#report;
    const stuck = this.windows.stuck?.get(topic);
    if (stuck !== undefined) {
      report.count('topic stuck');
      return stuck === 'denied' ? 29 : 6;
    }
    const { policy, maxBatchBytes, maxAgeMs } = this.windows;
    if (policy) {
      report.count('refused by policy');
      return 29;
    }
    if (maxBatchBytes !== undefined && batch.bytes.length > maxBatchBytes) {
      report.count('refused by size');
      return 10;
    }
    if (maxAgeMs !== undefined && Date.now() - oldestTimestamp(batch) > maxAgeMs) {
      report.count('rejected by timestamp');
      return 32;
    }
    if (valuesIn(batch).some((value) => value.includes(BAD_RECORD))) {
      report.count('bad record');
      return 87;
    }
    const refused = this.#sequenceError(partition, batch);
    if (refused !== undefined) return refused;
    const random = this.#random;
    if (random.chance(this.#rates.definite)) {
      report.count('error before the append');
      return random.pick(DEFINITE);
    }
    if (random.chance(this.#rates.openBefore)) return random.pick(OPEN);
    return undefined;
  }

  /** A broker that has lost its state of a producer rejects the rest of that epoch. */
  #sequenceError(partition: number, { producerId, epoch }: BatchView): number | undefined {
    const name = `${partition}/${producerId}/${epoch}`;
    if (!this.#lost.has(name)) {
      if (!this.#random.chance(this.#rates.sequence)) return undefined;
      this.#lost.set(name, this.#random.pick(SEQUENCE));
    }
    this.#report.count('injected sequence error');
    return this.#lost.get(name);
  }

  /** Returns a broker's error code for a batch that it already has. */
  repeated(): number {
    if (!this.#random.chance(this.#rates.duplicate)) return 0;
    this.#report.count('repeat reported as such');
    return DUPLICATE_SEQUENCE;
  }

  /** Returns an error code in place of 0 after an append. */
  afterAppend(): number | undefined {
    return this.#random.chance(this.#rates.openAfter) ? this.#random.pick(OPEN) : undefined;
  }

  /** Returns the codes of the response; one may be missing. */
  codesTold<T>(codes: ReadonlyMap<T, number>): ReadonlyMap<T, number> {
    if (!this.#random.chance(this.#rates.missing)) return codes;
    this.#report.count('partition missing');
    const forgotten = this.#random.pick([...codes.keys()]);
    return new Map([...codes].filter(([partition]) => partition !== forgotten));
  }

  mangle(response: Buffer): Buffer {
    if (!this.#random.chance(this.#rates.cut)) return response;
    this.#report.count('response cut short');
    return response.subarray(0, this.#random.int(0, response.length - 1));
  }

  throttleMs(): number {
    const { throttleMs } = this.windows;
    if (throttleMs === undefined) return 0;
    this.#report.count('throttled');
    return Math.round(this.#random.between(1, throttleMs));
  }

  topicError(): number {
    if (this.windows.topicMissing === undefined) return 0;
    this.#report.count('topic missing');
    return 3;
  }

  /** Returns the leader of a partition of `topic` according to a broker. */
  leaderTold(topic: string, leader: number): number {
    if (this.windows.stuck?.get(topic) === 'leaderless') {
      this.#report.count('topic without leaders');
      return -1;
    }
    if (this.windows.leadersHidden === undefined || !this.#random.chance(0.5)) return leader;
    this.#report.count('leader not told');
    return -1;
  }

  producerIdError(): number {
    if (this.windows.producerIds === undefined) return 0;
    this.#report.count('no producer id');
    return this.#random.pick([14, 15, 7]);
  }

  /** ms until a follower has fetched. */
  replicationMs(): number {
    return this.#random.log(0.2, this.windows.replicationMs ?? 5);
  }

  /** ms until a broker learns of an election. */
  newsMs(): number {
    return this.#random.log(1, this.windows.newsMs ?? 40);
  }

  /** ms until a broker that was away learns what it missed; it may still consider itself leader. */
  newsAfterAbsenceMs(): number {
    const slow = this.#rates !== CALM && this.#random.chance(0.3);
    return slow ? this.#random.log(50, 2_500) : this.newsMs();
  }

  /** ms of one way between Forebay and a broker. */
  lineMs(): number {
    return this.#random.log(0.1, this.windows.lineMs ?? 2);
  }

  /** Returns the path of a request. */
  travel(): Travel {
    const random = this.#random;
    const { requestLost, requestLate, requestSilent } = this.#rates;
    const ms = this.lineMs();
    if (random.chance(requestLost)) {
      this.#report.count('request lost');
      return { ms: undefined, cutMs: ms };
    }
    // The broker reads the rest of a dead connection's buffer later.
    if (random.chance(requestLate)) return { ms: random.log(5, 8_000), cutMs: ms };
    if (random.chance(requestSilent)) {
      this.#report.count('request silent');
      return { ms: random.chance(0.5) ? random.log(100, 6_000) : undefined, cutMs: undefined };
    }
    return { ms, cutMs: undefined };
  }

  /** Returns the path of a response; a lost one ends the connection or leaves it silent. */
  travelBack(): Travel {
    const random = this.#random;
    const ms = this.lineMs();
    if (!random.chance(this.#rates.responseLost)) return { ms, cutMs: undefined };
    this.#report.count('response lost');
    return { ms: undefined, cutMs: random.chance(0.7) ? ms : undefined };
  }

  /** ms until the controller detects a silent broker. */
  sessionMs(): number {
    return this.#random.between(300, 2_500);
  }
}

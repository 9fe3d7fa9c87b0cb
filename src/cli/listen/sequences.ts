/** Detection of missing and repeated numbers in the sequences of clients. */
import { printable } from '../../common/printable.ts';
import { counted } from './format.ts';
import { type Arrival, Gaps } from './gaps.ts';

export interface SequenceBounds {
  /** Clients that are tracked; events of others are counted separately. */
  readonly clientsMax: number;
  /** Missing ranges of all clients together; beyond it the oldest of a client are dropped. */
  readonly rangesMax: number;
}

export interface SequencesSummary {
  readonly clients: number;
  /** Numbers that have not arrived. */
  readonly missing: number;
  readonly repeats: number;
  /** Repeated numbers of events that may repeat others. */
  readonly markedRepeats: number;
  /** Numbers that arrived after a greater one. */
  readonly late: number;
  /** Events without a number or a key, or of clients beyond the limit. */
  readonly unfollowed: number;
}

export class Sequences {
  readonly #bounds: SequenceBounds;
  readonly #clients = new Map<string, Gaps>();
  #ranges = 0;
  /** Missing numbers of dropped ranges. */
  #givenUp = 0;
  #repeats = 0;
  #markedRepeats = 0;
  #late = 0;
  #unfollowed = 0;

  constructor(bounds: SequenceBounds) {
    this.#bounds = bounds;
  }

  /**
   * @param key record key, which identifies the client
   * @param value value of the sequence field
   * @param mayRepeat a repeated number is counted, but is no finding
   * @returns the finding, or undefined
   */
  check(key: Buffer | null, value: unknown, mayRepeat = false): string | undefined {
    const number = numberOf(value);
    if (key === null || number === undefined) {
      this.#unfollowed++;
      return undefined;
    }
    const client = key.toString('utf8');
    const gaps = this.#clients.get(client);
    if (gaps !== undefined) {
      const arrival = this.#add(gaps, number);
      if (arrival.kind !== 'repeat' || !mayRepeat) return this.#describe(arrival, client, number);
      this.#markedRepeats++;
      return undefined;
    }
    if (this.#clients.size < this.#bounds.clientsMax) this.#clients.set(client, new Gaps(number));
    else this.#unfollowed++;
    return undefined;
  }

  get summary(): SequencesSummary {
    let missing = this.#givenUp;
    for (const gaps of this.#clients.values()) missing += gaps.missing;
    return {
      clients: this.#clients.size,
      missing,
      repeats: this.#repeats,
      markedRepeats: this.#markedRepeats,
      late: this.#late,
      unfollowed: this.#unfollowed,
    };
  }

  /** Summary line; without marked repeats if there are none. */
  describe(): string {
    const { clients, missing, repeats, markedRepeats, late, unfollowed } = this.summary;
    const marked = markedRepeats === 0 ? '' : `${counted(markedRepeats, 'marked repeat')}, `;
    return (
      `sequences of ${counted(clients, 'client')}: ${missing} missing, ` +
      `${counted(repeats, 'repeat')}, ${marked}${late} late, ${unfollowed} not tracked`
    );
  }

  #add(gaps: Gaps, number: number): Arrival {
    const before = gaps.ranges;
    const arrival = gaps.add(number);
    this.#ranges += gaps.ranges - before;
    while (this.#ranges > this.#bounds.rangesMax && gaps.ranges > 0) {
      this.#givenUp += gaps.forgetOldest();
      this.#ranges--;
    }
    return arrival;
  }

  #describe(arrival: Arrival, client: string, number: number): string | undefined {
    switch (arrival.kind) {
      case 'next':
        return undefined;
      case 'gap': {
        const { first, last } = arrival.missing;
        const what = first === last ? `${first} is` : `${first} to ${last} are`;
        return `${what} missing before ${number} of ${shown(client)}`;
      }
      case 'repeat':
        this.#repeats++;
        return `repeat of ${number} of ${shown(client)}`;
      case 'late':
      case 'unknown':
        this.#late++;
        return undefined;
    }
  }
}

/** An integer, or a string of digits: ids are often strings. */
function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value;
  return Number.isSafeInteger(number) ? (number as number) : undefined;
}

function shown(client: string): string {
  return printable(JSON.stringify(client));
}

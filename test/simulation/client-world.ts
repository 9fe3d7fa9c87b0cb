import type { SeededRandom } from '../../testing/random.ts';
import type { FakeResponse, FakeSocket, Peer } from '../fakes/uws.ts';
import type { VirtualClock } from './clock.ts';
import type { SimEvent } from './events.ts';
import type { Dispatch } from './origins.ts';
import type { Report } from './report.ts';
import type { Ledgers } from './streams.ts';

/** A request to `/events`. */
export interface PostRequest {
  readonly bytes: number;
  readonly isNdjson: boolean;
  /** Path below `/events`. */
  readonly path: string;
  /** Form in which the body is declared as a repeat; undefined = it is not. */
  readonly declaration: 'header' | 'query' | undefined;
}

/** Environment of simulated clients. */
export interface ClientWorld {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly report: Report;
  readonly ledger: Pick<Ledgers, 'acknowledged' | 'refused'>;
  readonly note: (line: () => string) => void;
  /**
   * @param path below `/ws`, with the query
   * @returns undefined when the handshake is rejected
   */
  connect(protocol: string, peer: Peer, path: string): FakeSocket | undefined;
  post(response: FakeResponse, request: PostRequest): void;
  /** An event is being sent. @param connection within which order holds */
  sent(event: SimEvent, connection: string, dispatch: Dispatch): void;
  /** A frame or body with these events begins to arrive. */
  begins(events: readonly SimEvent[]): void;
  /** It has arrived as a whole. */
  arrived(events: readonly SimEvent[]): void;
}

export interface Client {
  /** New events to send. */
  give(count: number): void;
  /** The network ends its connection, or the client disconnects briefly. */
  cut(): void;
  /** Leaves for good; events without a result are lost to it. */
  leave(): void;
  /** The process that serves it did not run for `ms`. */
  stalled?(ms: number): void;
  /** All its events are settled, or it has left. */
  readonly done: boolean;
  /** Human-readable state. */
  readonly state: string;
}

/** One direction of a connection: ordered, with delays, sometimes several items at once. */
export class Pipe {
  readonly #world: Pick<ClientWorld, 'clock' | 'random'>;
  #waiting: (() => void)[] = [];
  #broken = false;

  constructor(world: Pick<ClientWorld, 'clock' | 'random'>) {
    this.#world = world;
  }

  push(action: () => void): void {
    if (this.#waiting.push(action) > 1) return;
    const { clock, random } = this.#world;
    clock.after(random.log(0.1, 20), () => {
      const due = this.#waiting;
      this.#waiting = [];
      for (const each of due) if (!this.#broken) each();
    });
  }

  /** Nothing more arrives. */
  break(): void {
    this.#broken = true;
  }
}

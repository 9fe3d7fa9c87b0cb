import type { Ledger } from '../../testing/ledger.ts';
import type { SeededRandom } from '../../testing/random.ts';
import type { FakeResponse, FakeSocket, Peer } from '../fakes/uws.ts';
import type { VirtualClock } from './clock.ts';
import type { Report } from './report.ts';

/** What simulated clients need of the world around them. */
export interface ClientWorld {
  readonly clock: VirtualClock;
  readonly random: SeededRandom;
  readonly report: Report;
  readonly ledger: Ledger;
  readonly note: (line: () => string) => void;
  /** @returns undefined when the handshake is refused */
  connect(protocol: string, peer: Peer): FakeSocket | undefined;
  post(response: FakeResponse, bytes: number, ndjson: boolean): void;
}

export interface Client {
  /** New events to send. */
  give(count: number): void;
  /** The network ends its connection, or the client goes away for a moment. */
  cut(): void;
  /** Goes away for good; what it has sent and not heard of is its loss. */
  leave(): void;
  /** The process that serves it did not run for so long. */
  stalled?(ms: number): void;
  /** All that it was given is settled, or it has left. */
  readonly done: boolean;
  /** For people. */
  readonly state: string;
}

/** One direction of a line: in order, each thing after a delay, several at once now and then. */
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

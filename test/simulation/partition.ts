import { Replica } from './replica.ts';

/** A topic from its creation to its deletion: another one may take its name. */
export interface Incarnation {
  readonly id: number;
  readonly bornAtMs: number;
  readonly partitions: readonly Partition[];
}

/** What the controller knows of one partition, and every broker's copy of it. */
export class Partition {
  readonly index: number;
  readonly replicas: ReadonlyMap<number, Replica>;
  /** Broker id; -1 = nobody who may lead is there. */
  leader: number;
  epoch = 0;
  isr: Set<number>;
  /** Followers are not taken back into the ISR: a fault. */
  isrHeld = false;

  constructor(index: number, brokers: readonly number[], leader: number, isr: Iterable<number>) {
    this.index = index;
    this.replicas = new Map(brokers.map((id) => [id, new Replica()]));
    this.isr = new Set(isr);
    this.leader = leader;
  }

  replica(broker: number): Replica {
    return this.replicas.get(broker)!;
  }

  /** The log that counts: the leader's, or of whoever may lead next. */
  get log() {
    const first = this.leader >= 0 ? this.leader : [...this.isr][0]!;
    return this.replica(first).log;
  }
}

/** What one broker believes of one partition. */
export interface View {
  leader: number;
  epoch: number;
  /** As leader: the ISR when the controller took the leadership away, unnoticed until told. */
  lastIsr: ReadonlySet<number> | undefined;
  /** As leader: how far each follower is, and how far all in the ISR are. */
  ends: Map<number, number>;
  highWatermark: number;
}

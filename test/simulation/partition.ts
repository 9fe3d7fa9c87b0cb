import { Replica } from './replica.ts';

/** A topic from its creation to its deletion; another one may reuse its name. */
export interface Incarnation {
  readonly id: number;
  readonly bornAtMs: number;
  readonly partitions: readonly Partition[];
}

/** The controller's state of one partition, and every broker's replica of it. */
export class Partition {
  readonly index: number;
  readonly replicas: ReadonlyMap<number, Replica>;
  /** Broker id; -1 = no eligible leader. */
  leader: number;
  epoch = 0;
  isr: Set<number>;
  /** Fault: followers do not rejoin the ISR. */
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

  /** The authoritative log: the leader's, or that of the next eligible leader. */
  get log() {
    const first = this.leader >= 0 ? this.leader : [...this.isr][0]!;
    return this.replica(first).log;
  }
}

/** One broker's view of one partition. */
export interface View {
  leader: number;
  epoch: number;
  /** As leader: the ISR when the controller moved the leadership, unknown to this broker. */
  lastIsr: ReadonlySet<number> | undefined;
  /** As leader: position of each follower, and of the whole ISR. */
  ends: Map<number, number>;
  highWatermark: number;
}

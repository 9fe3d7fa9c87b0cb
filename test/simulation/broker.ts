/** One simulated broker: appends, waits for its followers, answers; may be paused, or die. */
import type { Cluster } from './cluster.ts';
import type { Partition, View } from './partition.ts';
import {
  API_KEYS,
  decodeProduceRequest,
  metadataResponse,
  type Part,
  produceResponse,
  producerIdResponse,
} from './wire.ts';

const NOT_LEADER = 6;
const REQUEST_TIMED_OUT = 7;
const NOT_ENOUGH_REPLICAS = 19;
const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;
const MIN_ISR = 2;

export type Health = 'up' | 'paused' | 'down';

/** A request, and where its answer goes. */
export interface Arrival {
  readonly apiKey: number;
  readonly body: Buffer;
  /** The connection that it came on is gone: nobody hears the answer. */
  readonly isStray: () => boolean;
  respond(response: Buffer, throttleMs: number): void;
}

interface Waiter {
  readonly end: number;
  readonly done: (code: number) => void;
}

export class Broker {
  readonly id: number;
  readonly host: string;
  readonly port = 9092;
  health: Health = 'up';
  /** Dead brokers forget what they were doing. */
  #life = 0;
  readonly #context: Cluster;
  readonly #views: View[] = [];
  #waiters: Waiter[][] = [];
  #held: (() => void)[] = [];
  readonly #onDown: Set<() => void> = new Set();

  constructor(id: number, context: Cluster) {
    this.id = id;
    this.host = `broker-${id}`;
    this.#context = context;
    for (const partition of context.partitions) {
      this.#views.push(newView(partition.leader, partition.epoch));
      this.#waiters.push([]);
    }
  }

  /** Calls `listener` once if the broker dies before it is taken away again. */
  onDown(listener: () => void): () => void {
    this.#onDown.add(listener);
    return () => this.#onDown.delete(listener);
  }

  view(partition: number): View {
    return this.#views[partition]!;
  }

  pause(): void {
    if (this.health === 'up') this.health = 'paused';
  }

  die(): void {
    this.health = 'down';
    this.#life++;
    this.#held = [];
    this.#waiters = this.#waiters.map(() => []);
    for (const view of this.#views) Object.assign(view, newView(-1, -1));
    for (const listener of [...this.#onDown]) listener();
    this.#onDown.clear();
  }

  /** Goes on after a pause or a death. */
  resume(): void {
    if (this.health === 'up') return;
    this.health = 'up';
    for (const action of this.#held.splice(0)) action();
  }

  /** Does `action` when the broker runs; never if it dies before. */
  do(action: () => void): void {
    if (this.health === 'up') action();
    else if (this.health === 'paused') this.#held.push(action);
  }

  /** Does `action` after `ms`, in this life. */
  #after(ms: number, action: () => void): void {
    const life = this.#life;
    this.#context.clock.after(ms, () => {
      if (life === this.#life) this.do(action);
    });
  }

  handle(arrival: Arrival): void {
    this.do(() => {
      if (arrival.apiKey === API_KEYS.produce) return this.#produce(arrival);
      if (arrival.apiKey === API_KEYS.metadata) return arrival.respond(this.#metadata(), 0);
      const { errorCode, producerId, epoch } = this.#context.producerId();
      arrival.respond(producerIdResponse(errorCode, producerId, epoch), 0);
    });
  }

  #metadata(): Buffer {
    const { topic, brokers, faults } = this.#context;
    const known = [...brokers.values()].filter(({ id }) => this.#context.isRegistered(id));
    const leaders = this.#views.map(({ leader }) => leader);
    return metadataResponse({
      topic,
      topicError: faults.topicError(),
      brokers: known,
      leaders: leaders.map((leader) => faults.leaderTold(leader)),
    });
  }

  #produce(arrival: Arrival): void {
    const { faults, topic } = this.#context;
    const { timeoutMs, parts } = decodeProduceRequest(arrival.body);
    const codes = new Map<number, number>();
    let open = parts.length;
    const stray = arrival.isStray();
    const settle = (part: Part) => (code: number) => {
      if (codes.has(part.partition)) return;
      codes.set(part.partition, code);
      if (--open > 0) return;
      const told = faults.codesTold(codes);
      const throttleMs = faults.throttleMs();
      arrival.respond(faults.mangle(produceResponse(topic, told, throttleMs)), throttleMs);
    };
    for (const part of parts) this.#append(part, stray, settle(part));
    this.#after(timeoutMs, () => {
      for (const part of parts) settle(part)(REQUEST_TIMED_OUT);
    });
  }

  #append(part: Part, stray: boolean, done: (code: number) => void): void {
    const { faults, note, report } = this.#context;
    const partition = this.#context.partitions[part.partition]!;
    const view = this.view(part.partition);
    const { batch } = part;
    const refuse = (code: number, why: string) => {
      note(() => `broker ${this.id} refuses p${part.partition} ${code}: ${why}`);
      done(code);
    };
    if (view.leader !== this.id) return refuse(NOT_LEADER, 'not the leader');
    const injected = faults.beforeAppend(part);
    if (injected !== undefined) return refuse(injected, 'injected');
    if (this.#isr(partition).size < MIN_ISR) return refuse(NOT_ENOUGH_REPLICAS, 'ISR too small');
    const replica = partition.replica(this.id);
    const decision = replica.decide(batch);
    const leads = partition.leader === this.id && partition.epoch === view.epoch;
    if (!leads) report.count('deposed leader asked');
    if (decision.do === 'refuse') {
      // Its own copy of the log may be old; the leader's is not, and only a stray may be out of turn.
      if (leads && !stray)
        report.violation(`p${part.partition}: sequence refused, ${decision.code}`);
      else if (stray) report.count('stray copy fenced');
      return refuse(decision.code, 'by its state of the producer');
    }
    if (decision.do === 'repeat') report.count(stray ? 'stray copy repeated' : 'repeat');
    const end = decision.do === 'repeat' ? decision.end : replica.append(batch);
    if (decision.do === 'append' && stray) report.count('stray copy appended');
    note(() => {
      const { producerId, epoch, sequence, records } = batch;
      const which = `${producerId}/${epoch}/${sequence}+${records}`;
      return `broker ${this.id} ${decision.do}s p${part.partition} ${which}, end ${end}`;
    });
    const told = decision.do === 'repeat' ? faults.repeated() : 0;
    this.#waiters[part.partition]!.push({ end, done: (code) => done(code === 0 ? told : code) });
    const afterwards = faults.afterAppend();
    if (afterwards !== undefined) {
      report.count('error after the append');
      this.#after(faults.replicationMs(), () => done(afterwards));
    }
    this.#context.replicate(partition);
    this.#advance(partition);
  }

  #isr(partition: Partition): ReadonlySet<number> {
    const view = this.view(partition.index);
    const leads = partition.leader === this.id && partition.epoch === view.epoch;
    return leads ? partition.isr : (view.lastIsr ?? partition.isr);
  }

  /** Fetches from whom this broker takes for the leader, if that one agrees. */
  fetch(partition: Partition): void {
    const view = this.view(partition.index);
    if (view.leader === this.id || view.leader < 0) return;
    const leader = this.#context.brokers.get(view.leader)!;
    const theirs = leader.view(partition.index);
    if (leader.health !== 'up' || theirs.leader !== leader.id || theirs.epoch !== view.epoch)
      return;
    const lost = partition.replica(this.id).follow(partition.replica(leader.id));
    if (lost > 0) this.#context.report.count('tail lost');
    leader.#fetched(partition, this.id);
  }

  #fetched(partition: Partition, follower: number): void {
    const { ends } = this.view(partition.index);
    ends.set(follower, partition.replica(follower).log.length);
    this.#context.caughtUp(partition, this.id, follower);
    this.#advance(partition);
  }

  /** Moves the high watermark as far as the ISR has come, and answers who waits for it. */
  #advance(partition: Partition): void {
    const view = this.view(partition.index);
    if (view.leader !== this.id) return;
    const isr = this.#isr(partition);
    let end = partition.replica(this.id).log.length;
    for (const id of isr) if (id !== this.id) end = Math.min(end, view.ends.get(id) ?? 0);
    view.highWatermark = Math.max(view.highWatermark, end);
    const code = isr.size < MIN_ISR ? NOT_ENOUGH_REPLICAS_AFTER_APPEND : 0;
    const waiting = this.#waiters[partition.index]!;
    this.#waiters[partition.index] = waiting.filter((waiter) => {
      if (waiter.end > view.highWatermark) return true;
      waiter.done(code);
      return false;
    });
  }

  /** The ISR has changed: who waits may wait no longer. */
  isrChanged(partition: Partition): void {
    this.do(() => this.#advance(partition));
  }

  /** Hears who leads; who led until now tells all that wait. */
  learn(partition: Partition, leader: number, epoch: number): void {
    const view = this.view(partition.index);
    if (epoch < view.epoch || (epoch === view.epoch && leader === view.leader)) return;
    const { note } = this.#context;
    note(() => `broker ${this.id} learns: p${partition.index} is led by ${leader} (${epoch})`);
    Object.assign(view, newView(leader, epoch));
    const waiting = this.#waiters[partition.index]!;
    this.#waiters[partition.index] = [];
    for (const { done } of waiting) done(NOT_LEADER);
    this.#context.replicate(partition);
  }
}

function newView(leader: number, epoch: number): View {
  return { leader, epoch, lastIsr: undefined, ends: new Map(), highWatermark: 0 };
}

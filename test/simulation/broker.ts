/** One simulated broker: appends, waits for its followers, responds; may pause or die. */
import type { Cluster } from './cluster.ts';
import type { Incarnation, Partition, View } from './partition.ts';
import {
  API_KEYS,
  decodeProduceRequest,
  metadataResponse,
  type Part,
  produceResponse,
  producerIdResponse,
  topicsAsked,
} from './wire.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const NOT_LEADER = 6;
const TOPIC_AUTHORIZATION_FAILED = 29;
const REQUEST_TIMED_OUT = 7;
const NOT_ENOUGH_REPLICAS = 19;
const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20;
const MIN_ISR = 2;

export type Health = 'up' | 'paused' | 'down';

/** A request and the callback for its response. */
export interface Arrival {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly body: Buffer;
  readonly sentAtMs: number;
  /** Its connection has ended: the response is lost. */
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
  /** Incremented by a death, which cancels pending actions. */
  #life = 0;
  readonly #context: Cluster;
  /** Topic as this broker knows it; undefined = no topic. */
  #topic: Incarnation | undefined;
  readonly #views = new Map<Partition, View>();
  readonly #waiters = new Map<Partition, Waiter[]>();
  #held: (() => void)[] = [];
  readonly #onDown: Set<() => void> = new Set();

  constructor(id: number, context: Cluster) {
    this.id = id;
    this.host = `broker-${id}`;
    this.#context = context;
    this.#topic = context.topicNow;
    for (const partition of context.allPartitions) {
      this.#views.set(partition, newView(partition.leader, partition.epoch));
    }
  }

  /** Calls `listener` once if the broker dies before the listener is removed. */
  onDown(listener: () => void): () => void {
    this.#onDown.add(listener);
    return () => this.#onDown.delete(listener);
  }

  view(partition: Partition): View {
    let view = this.#views.get(partition);
    if (view === undefined) {
      view = newView(-1, -1);
      this.#views.set(partition, view);
    }
    return view;
  }

  knows(topic: Incarnation): boolean {
    return this.#topic === topic;
  }

  /** The broker learns that the topic was deleted or replaced. */
  adopt(topic: Incarnation | undefined): void {
    if (this.#topic === topic) return;
    const { note } = this.#context;
    note(() => `broker ${this.id} learns of topic ${topic?.id}`);
    const former = this.#topic?.partitions ?? [];
    this.#topic = topic;
    for (const partition of former) {
      Object.assign(this.view(partition), newView(-1, -1));
      for (const { done } of this.#takeWaiters(partition)) done(UNKNOWN_TOPIC_OR_PARTITION);
    }
  }

  #takeWaiters(partition: Partition): Waiter[] {
    const waiting = this.#waiters.get(partition) ?? [];
    this.#waiters.delete(partition);
    return waiting;
  }

  pause(): void {
    if (this.health === 'up') this.health = 'paused';
  }

  die(): void {
    this.health = 'down';
    this.#life++;
    this.#held = [];
    this.#waiters.clear();
    for (const view of this.#views.values()) Object.assign(view, newView(-1, -1));
    for (const listener of [...this.#onDown]) listener();
    this.#onDown.clear();
  }

  /** Resumes after a pause or a death. */
  resume(): void {
    if (this.health === 'up') return;
    this.health = 'up';
    for (const action of this.#held.splice(0)) action();
  }

  /** Runs `action` when the broker runs; never if it dies first. */
  do(action: () => void): void {
    if (this.health === 'up') action();
    else if (this.health === 'paused') this.#held.push(action);
  }

  /** Runs `action` after `ms` unless the broker dies first. */
  #after(ms: number, action: () => void): void {
    const life = this.#life;
    this.#context.clock.after(ms, () => {
      if (life === this.#life) this.do(action);
    });
  }

  handle(arrival: Arrival): void {
    this.do(() => {
      // Kafka cannot fence copies that reach the next topic of the name.
      const isOld = arrival.sentAtMs < (this.#topic?.bornAtMs ?? 0);
      if (isOld && arrival.isStray()) return;
      if (arrival.apiKey === API_KEYS.produce) return this.#produce(arrival);
      if (arrival.apiKey === API_KEYS.metadata) {
        return arrival.respond(this.#metadata(arrival.body, arrival.apiVersion), 0);
      }
      const { errorCode, producerId, epoch } = this.#context.producerId();
      arrival.respond(producerIdResponse(errorCode, producerId, epoch), 0);
    });
  }

  #metadata(body: Buffer, version: number): Buffer {
    const { topic, others, brokers, faults, rejected } = this.#context;
    const registered = [...brokers.values()].filter(({ id }) => this.#context.isRegistered(id));
    const missing = { error: UNKNOWN_TOPIC_OR_PARTITION, id: 0, leaders: [] };
    const topics = topicsAsked(body, version).map((name) => {
      if (name === rejected?.name) {
        const leaders = Array.from({ length: rejected.partitions }, () => this.id);
        return { name, error: 0, id: 1_000, leaders };
      }
      const known = name === topic ? this.#topic : others.get(name);
      if (known === undefined) return { name, ...missing };
      const { id, partitions } = known;
      const leaders = partitions.map((each) => faults.leaderTold(name, this.view(each).leader));
      return { name, error: faults.topicError(), id, leaders };
    });
    return metadataResponse({ topics, brokers: registered }, version);
  }

  #produce(arrival: Arrival): void {
    const { faults } = this.#context;
    const { timeoutMs, parts } = decodeProduceRequest(arrival.body);
    const codes = new Map<Part, number>();
    const stray = arrival.isStray();
    const settle = (part: Part) => (code: number) => {
      if (codes.has(part)) return;
      codes.set(part, code);
      if (codes.size < parts.length) return;
      const told = faults.codesTold(codes);
      const throttleMs = faults.throttleMs();
      arrival.respond(faults.mangle(produceResponse(told, throttleMs)), throttleMs);
    };
    for (const part of parts) this.#append(part, stray, settle(part));
    this.#after(timeoutMs, () => {
      for (const part of parts) settle(part)(REQUEST_TIMED_OUT);
    });
  }

  #append(part: Part, stray: boolean, done: (code: number) => void): void {
    const { clock, faults, note, report } = this.#context;
    const { batch } = part;
    const refuse = (code: number, why: string) => {
      note(() => `broker ${this.id} rejects p${part.partition} ${code}: ${why}`);
      done(code);
    };
    if (part.topic === this.#context.rejected?.name) {
      return refuse(TOPIC_AUTHORIZATION_FAILED, 'its topic is rejected');
    }
    const { topic, others } = this.#context;
    const known = part.topic === topic ? this.#topic : others.get(part.topic);
    const partition = known?.partitions[part.partition];
    if (partition === undefined) {
      report.count('no such partition');
      return refuse(UNKNOWN_TOPIC_OR_PARTITION, 'no such partition');
    }
    const view = this.view(partition);
    if (view.leader !== this.id) return refuse(NOT_LEADER, 'not the leader');
    const injected = faults.beforeAppend(part);
    if (injected !== undefined) return refuse(injected, 'injected');
    if (this.#isr(partition).size < MIN_ISR) return refuse(NOT_ENOUGH_REPLICAS, 'ISR too small');
    const replica = partition.replica(this.id);
    const decision = replica.decide(batch);
    const leads = partition.leader === this.id && partition.epoch === view.epoch;
    if (!leads) report.count('deposed leader asked');
    if (decision.do === 'refuse') {
      // Its own log may be stale; the leader's is not, and only a stray copy may be out of order.
      if (leads && !stray)
        report.violation(`p${part.partition}: sequence rejected, ${decision.code}`);
      else if (stray) report.count('stray copy fenced');
      return refuse(decision.code, 'by its state of the producer');
    }
    if (decision.do === 'repeat') report.count(stray ? 'stray copy repeated' : 'repeat');
    if (decision.do === 'append') batch.appendedAtMs = clock.nowMs;
    const end = decision.do === 'repeat' ? decision.end : replica.append(batch);
    if (decision.do === 'append' && stray) report.count('stray copy appended');
    note(() => {
      const { producerId, epoch, sequence, records } = batch;
      const which = `${producerId}/${epoch}/${sequence}+${records}`;
      return `broker ${this.id} ${decision.do}s p${part.partition} ${which}, end ${end}`;
    });
    const told = decision.do === 'repeat' ? faults.repeated() : 0;
    const waiting = this.#waiters.get(partition) ?? [];
    this.#waiters.set(partition, waiting);
    waiting.push({ end, done: (code) => done(code === 0 ? told : code) });
    const afterwards = faults.afterAppend();
    if (afterwards !== undefined) {
      report.count('error after the append');
      this.#after(faults.replicationMs(), () => done(afterwards));
    }
    this.#context.replicate(partition);
    this.#advance(partition);
  }

  #isr(partition: Partition): ReadonlySet<number> {
    const view = this.view(partition);
    const leads = partition.leader === this.id && partition.epoch === view.epoch;
    return leads ? partition.isr : (view.lastIsr ?? partition.isr);
  }

  /** Fetches from the leader known to this broker, if that broker considers itself leader. */
  fetch(partition: Partition): void {
    const view = this.view(partition);
    if (view.leader === this.id || view.leader < 0) return;
    const leader = this.#context.brokers.get(view.leader)!;
    const theirs = leader.view(partition);
    if (leader.health !== 'up' || theirs.leader !== leader.id || theirs.epoch !== view.epoch)
      return;
    const lost = partition.replica(this.id).follow(partition.replica(leader.id));
    if (lost > 0) this.#context.report.count('tail lost');
    leader.#fetched(partition, this.id);
  }

  #fetched(partition: Partition, follower: number): void {
    const { ends } = this.view(partition);
    ends.set(follower, partition.replica(follower).log.length);
    this.#context.caughtUp(partition, this.id, follower);
    this.#advance(partition);
  }

  /** Advances the high watermark to the ISR's position and answers the requests that wait for it. */
  #advance(partition: Partition): void {
    const view = this.view(partition);
    if (view.leader !== this.id) return;
    const isr = this.#isr(partition);
    let end = partition.replica(this.id).log.length;
    for (const id of isr) if (id !== this.id) end = Math.min(end, view.ends.get(id) ?? 0);
    view.highWatermark = Math.max(view.highWatermark, end);
    const code = isr.size < MIN_ISR ? NOT_ENOUGH_REPLICAS_AFTER_APPEND : 0;
    const waiting = this.#takeWaiters(partition);
    this.#waiters.set(
      partition,
      waiting.filter(({ end }) => end > view.highWatermark),
    );
    for (const { end: wanted, done } of waiting) if (wanted <= view.highWatermark) done(code);
  }

  /** Checks waiting requests after a change of the ISR. */
  isrChanged(partition: Partition): void {
    this.do(() => this.#advance(partition));
  }

  /** The broker learns the leader; a deposed leader answers its waiting requests. */
  learn(partition: Partition, leader: number, epoch: number): void {
    const known = [this.#topic, ...this.#context.others.values()];
    if (!known.some((topic) => topic?.partitions.includes(partition))) return;
    const view = this.view(partition);
    if (epoch < view.epoch || (epoch === view.epoch && leader === view.leader)) return;
    const { note } = this.#context;
    note(() => `broker ${this.id} learns: p${partition.index} is led by ${leader} (${epoch})`);
    Object.assign(view, newView(leader, epoch));
    for (const { done } of this.#takeWaiters(partition)) done(NOT_LEADER);
    this.#context.replicate(partition);
  }
}

function newView(leader: number, epoch: number): View {
  return { leader, epoch, lastIsr: undefined, ends: new Map(), highWatermark: 0 };
}

import { backoffMs } from '../../common/backoff.ts';
import type { Partition } from '../accumulator/topic.ts';
import { Patience } from './adaptive-timeouts.ts';
import { noAnswer, type Outcome, outcomeOf } from './error-table.ts';
import { type Address, type BrokerLink, type CreateLink, LinkError } from './link.ts';
import {
  bytesOf,
  decodeProduce,
  type PartitionBytes,
  PRODUCE,
  type ProduceAnswer,
  produceBody,
} from './protocol.ts';

const RECONNECT_MS = { first: 50, last: 2_000 } as const;
/** The broker's replicas did not follow within the request's ack timeout. */
const REQUEST_TIMED_OUT = 7;

/** What a sender tells its broker. */
export interface SenderListener {
  /** Connected, or free to connect again: lanes that wait for it may go. */
  ready(): void;
  /** Could not connect or lost the connection; what was in flight was settled before. */
  lost(error: LinkError): void;
  /** The broker wants no request for so long. */
  throttled(ms: number): void;
  /** A request with a body of so many bytes goes out. */
  sending(bytes: number): void;
  /** One partition's attempt has ended. */
  settled(partition: Partition, outcome: Outcome): void;
  /** A request with a body of so many bytes ended after `ms`; all its partitions are settled. */
  finished(bytes: number, ms: number): void;
}

/** One connection to one broker, one produce request at a time. Takes no decision of a lane. */
export class Sender {
  readonly #address: Address;
  readonly #createLink: CreateLink;
  readonly #listener: SenderListener;
  readonly #patience = new Patience();
  #link: BrokerLink | undefined;
  #connecting = false;
  /** Connections in a row that ended before anything was answered. */
  #failures = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(address: Address, createLink: CreateLink, listener: SenderListener) {
    this.#address = address;
    this.#createLink = createLink;
    this.#listener = listener;
  }

  /** There is a connection, busy or not. */
  get connected(): boolean {
    return this.#link?.usable === true;
  }

  /** A request may go out now. */
  get idle(): boolean {
    return this.#link?.idle === true;
  }

  /** Connects if there is no connection, none is being made, and it is not too soon. */
  connect(): void {
    const waiting = this.#connecting || this.#retryTimer !== undefined;
    if (waiting || this.#stopped || this.#link?.usable) return;
    this.#connecting = true;
    void this.#open();
  }

  /** Sends the heads of `partitions` in one request; each outcome is told by `settled`. */
  async send(partitions: readonly Partition[], nowMs: number): Promise<void> {
    const parts = new Map<string, PartitionBytes[]>();
    for (const { topic, number: partition, lane } of partitions) {
      const part = { partition, bytes: lane.send(nowMs) };
      const ofTopic = parts.get(topic.name);
      if (ofTopic === undefined) parts.set(topic.name, [part]);
      else ofTopic.push(part);
    }
    const { times } = this.#patience;
    const body = produceBody(parts, times.ackTimeoutMs);
    this.#listener.sending(bytesOf(body));
    try {
      this.#answered(partitions, await this.#link!.request(PRODUCE, body, decodeProduce, times));
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      const timedOut = error.why === 'request_timeout' || error.why === 'guard';
      const outcome = noAnswer(timedOut ? 'request_timeout' : 'connection');
      for (const partition of partitions) this.#listener.settled(partition, outcome);
      this.#lost(error);
    }
    this.#listener.finished(bytesOf(body), performance.now() - nowMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    this.#link?.close();
  }

  #answered(partitions: readonly Partition[], { errorCodes, throttleMs }: ProduceAnswer): void {
    this.#failures = 0;
    if (throttleMs > 0) this.#listener.throttled(throttleMs);
    const codes = partitions.map(({ topic, number }) => errorCodes.get(topic.name)?.get(number));
    if (codes.includes(REQUEST_TIMED_OUT)) this.#patience.timedOut();
    else this.#patience.inTime();
    for (const [index, partition] of partitions.entries()) {
      const code = codes[index];
      const outcome = code === undefined ? noAnswer('missing_partition') : outcomeOf(code);
      this.#listener.settled(partition, outcome);
    }
  }

  async #open(): Promise<void> {
    const link = this.#createLink(this.#address);
    try {
      await link.open(this.#patience.times);
    } catch (error) {
      this.#connecting = false;
      if (!(error instanceof LinkError)) throw error;
      this.#lost(error);
      return;
    }
    this.#connecting = false;
    if (this.#stopped) return link.close();
    this.#link = link;
    this.#listener.ready();
  }

  #lost(error: LinkError): void {
    this.#link = undefined;
    if (this.#stopped) return;
    if (isTimeout(error)) this.#patience.timedOut();
    this.#retryTimer = setTimeout(
      () => {
        this.#retryTimer = undefined;
        this.#listener.ready();
      },
      backoffMs(RECONNECT_MS, ++this.#failures),
    );
    this.#listener.lost(error);
  }
}

/** Nothing came in time; a connection that was refused or reset says nothing about time. */
function isTimeout({ why }: LinkError): boolean {
  return why === 'guard' || why === 'request_timeout' || why === 'connect_timeout';
}

import { backoffMs } from '../../common/backoff.ts';
import type { Partition } from '../accumulator/topic.ts';
import { AdaptiveTimeouts } from './adaptive-timeouts.ts';
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
/** The replicas did not catch up within the request's ack timeout. */
const REQUEST_TIMED_OUT = 7;

/** Callbacks of a connection into its broker. */
export interface ProduceConnectionListener {
  /** Connected, or allowed to reconnect: waiting lanes may continue. */
  ready(): void;
  /** Failed to connect or lost the connection; all attempts in flight are already settled. */
  lost(error: LinkError): void;
  /** The broker asks for a pause of `ms`. */
  throttled(ms: number): void;
  /** A request with a body of `bytes` is being sent. */
  sending(bytes: number): void;
  /** An attempt of one partition has ended. */
  settled(partition: Partition, outcome: Outcome): void;
  /** A request with a body of `bytes` ended after `ms`; all its partitions are settled. */
  finished(bytes: number, ms: number): void;
}

/** One connection to one broker, with one produce request at a time. Lanes decide about retries. */
export class ProduceConnection {
  readonly #address: Address;
  readonly #createLink: CreateLink;
  readonly #listener: ProduceConnectionListener;
  readonly #timeouts = new AdaptiveTimeouts();
  #link: BrokerLink | undefined;
  #connecting = false;
  /** Consecutive connections that ended without a response. */
  #failures = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(address: Address, createLink: CreateLink, listener: ProduceConnectionListener) {
    this.#address = address;
    this.#createLink = createLink;
    this.#listener = listener;
  }

  /** Connected, busy or not. */
  get connected(): boolean {
    return this.#link?.usable === true;
  }

  /** Ready for a request. */
  get idle(): boolean {
    return this.#link?.idle === true;
  }

  /** Connects unless connected, connecting, or within the back-off. */
  connect(): void {
    const waiting = this.#connecting || this.#retryTimer !== undefined;
    if (waiting || this.#stopped || this.#link?.usable) return;
    this.#connecting = true;
    void this.#open();
  }

  /** Sends the heads of `partitions` in one request; `settled` reports each outcome. */
  async send(partitions: readonly Partition[], nowMs: number): Promise<void> {
    const parts = new Map<string, PartitionBytes[]>();
    for (const { topic, number: partition, lane } of partitions) {
      const part = { partition, bytes: lane.send(nowMs) };
      const ofTopic = parts.get(topic.name);
      if (ofTopic === undefined) parts.set(topic.name, [part]);
      else ofTopic.push(part);
    }
    const { current: timeouts } = this.#timeouts;
    const body = produceBody(parts, timeouts.ackTimeoutMs);
    this.#listener.sending(bytesOf(body));
    try {
      this.#answered(partitions, await this.#link!.request(PRODUCE, body, decodeProduce, timeouts));
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
    if (codes.includes(REQUEST_TIMED_OUT)) this.#timeouts.timedOut();
    else this.#timeouts.inTime();
    for (const [index, partition] of partitions.entries()) {
      const code = codes[index];
      const outcome = code === undefined ? noAnswer('missing_partition') : outcomeOf(code);
      this.#listener.settled(partition, outcome);
    }
  }

  async #open(): Promise<void> {
    const link = this.#createLink(this.#address);
    try {
      await link.open(this.#timeouts.current);
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
    if (isTimeout(error)) this.#timeouts.timedOut();
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

/** Distinguishes timeouts from refused and reset connections, which say nothing about timing. */
function isTimeout({ why }: LinkError): boolean {
  return why === 'guard' || why === 'request_timeout' || why === 'connect_timeout';
}

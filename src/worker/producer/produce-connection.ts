import { backoffMs } from '../../common/backoff.ts';
import { Patience } from './adaptive-timeouts.ts';
import { noAnswer, type Outcome, outcomeOf } from './error-table.ts';
import type { Lane } from './lane.ts';
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
  /** One lane's attempt has ended. */
  settled(lane: Lane, outcome: Outcome): void;
  /** A request with a body of so many bytes ended after `ms`; all its lanes are settled. */
  finished(bytes: number, ms: number): void;
}

/** One connection to one broker, one produce request at a time. Takes no decision of a lane. */
export class Sender {
  readonly #address: Address;
  readonly #topic: string;
  readonly #createLink: CreateLink;
  readonly #listener: SenderListener;
  readonly #patience = new Patience();
  #link: BrokerLink | undefined;
  #connecting = false;
  /** Connections in a row that ended before anything was answered. */
  #failures = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(address: Address, topic: string, createLink: CreateLink, listener: SenderListener) {
    this.#address = address;
    this.#topic = topic;
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

  /** Sends the heads of `lanes` in one request; each hears of its outcome by `settled`. */
  async send(lanes: readonly Lane[], nowMs: number): Promise<void> {
    const parts: PartitionBytes[] = [];
    for (const lane of lanes) parts.push({ partition: lane.partition, bytes: lane.send(nowMs) });
    const { times } = this.#patience;
    const body = produceBody(this.#topic, parts, times.ackTimeoutMs);
    const decode = (raw: Buffer) => decodeProduce(raw, this.#topic);
    try {
      this.#answered(lanes, await this.#link!.request(PRODUCE, body, decode, times));
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      const timedOut = error.why === 'request_timeout' || error.why === 'guard';
      const outcome = noAnswer(timedOut ? 'request_timeout' : 'connection');
      for (const lane of lanes) this.#listener.settled(lane, outcome);
      this.#lost(error);
    }
    this.#listener.finished(bytesOf(body), performance.now() - nowMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    this.#link?.close();
  }

  #answered(lanes: readonly Lane[], { errorCodes, throttleMs }: ProduceAnswer): void {
    this.#failures = 0;
    if (throttleMs > 0) this.#listener.throttled(throttleMs);
    const codes = lanes.map((lane) => errorCodes.get(lane.partition));
    if (codes.includes(REQUEST_TIMED_OUT)) this.#patience.timedOut();
    else this.#patience.inTime();
    for (const [index, lane] of lanes.entries()) {
      const code = codes[index];
      const outcome = code === undefined ? noAnswer('missing_partition') : outcomeOf(code);
      this.#listener.settled(lane, outcome);
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

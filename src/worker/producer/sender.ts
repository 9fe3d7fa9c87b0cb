import type { Logger } from '../../log.ts';
import { SampledLog } from '../../log.ts';
import { noAnswer, type Outcome, outcomeOf } from './error-table.ts';
import type { Lane } from './lane.ts';
import { type Address, type BrokerLink, type CreateLink, LinkError, TIMES } from './link.ts';
import { decodeProduce, type PartitionBytes, PRODUCE, ProduceBody } from './protocol.ts';

/** What a sender tells the producer. */
export interface SenderListener {
  /** Connected: lanes that wait for this broker may go. */
  connected(): void;
  /** Could not connect or lost the connection; what was in flight was settled before. */
  disconnected(error: LinkError): void;
  /** One lane's attempt has ended. */
  settled(lane: Lane, outcome: Outcome): void;
  /** A request ended after `ms`, and its `bytes` are free again; all its lanes are settled. */
  finished(bytes: number, ms: number): void;
}

/** One broker: its connection, and one produce request at a time. Takes no decision of a lane. */
export class Sender {
  readonly brokerId: number;
  readonly address: Address;
  /** Where the next request begins to look for lanes, so that all have their turn. */
  cursor = 0;
  readonly #topic: string;
  readonly #createLink: CreateLink;
  readonly #listener: SenderListener;
  readonly #log: Logger;
  readonly #sampled = new SampledLog();
  #link: BrokerLink | undefined;
  #connecting = false;
  #failures = 0;
  #retryTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    brokerId: number,
    address: Address,
    topic: string,
    createLink: CreateLink,
    log: Logger,
    listener: SenderListener,
  ) {
    this.brokerId = brokerId;
    this.address = address;
    this.#topic = topic;
    this.#createLink = createLink;
    this.#listener = listener;
    this.#log = log;
  }

  /** A request may go out now. */
  get idle(): boolean {
    return this.#link?.idle === true;
  }

  /** Connects if there is no connection and none is being made. */
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
    const body = new ProduceBody(this.#topic, parts, TIMES.ackTimeoutMs);
    try {
      const errorCodes = await this.#link!.request(PRODUCE, body, (raw) =>
        decodeProduce(raw, this.#topic),
      );
      this.#failures = 0;
      for (const lane of lanes) {
        const code = errorCodes.get(lane.partition);
        const outcome = code === undefined ? noAnswer('missing_partition') : outcomeOf(code);
        this.#listener.settled(lane, outcome);
      }
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      const timedOut = error.why === 'request_timeout' || error.why === 'guard';
      const outcome = noAnswer(timedOut ? 'request_timeout' : 'connection');
      for (const lane of lanes) this.#listener.settled(lane, outcome);
      this.#lost(error);
    }
    this.#listener.finished(body.length, performance.now() - nowMs);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#retryTimer);
    this.#link?.close();
  }

  async #open(): Promise<void> {
    const link = this.#createLink(this.address);
    try {
      await link.open();
    } catch (error) {
      this.#connecting = false;
      if (!(error instanceof LinkError)) throw error;
      this.#lost(error);
      return;
    }
    this.#connecting = false;
    if (this.#stopped) return link.close();
    this.#link = link;
    this.#listener.connected();
  }

  #lost(error: LinkError): void {
    this.#link = undefined;
    if (this.#stopped) return;
    const broker = this.brokerId;
    this.#sampled.line('lost', (held) =>
      this.#log.warn(
        { broker, why: error.why, error: error.message, held },
        'broker connection lost',
      ),
    );
    const { reconnectFirstMs, reconnectLastMs } = TIMES;
    const pause = Math.min(reconnectLastMs, reconnectFirstMs * 2 ** Math.min(this.#failures++, 10));
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = undefined;
      this.connect();
    }, pause);
    this.#listener.disconnected(error);
  }
}

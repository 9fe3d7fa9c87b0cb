/** The lanes of a replay: the stages of a worker from the intake to Kafka, in this process. */
import assert from 'node:assert/strict';
import { type EventCode, EXIT, StartError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import type { Fault } from '../../ipc.ts';
import { parseBrokerAddress } from '../../kafka/broker-address.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import { configuredCodec } from '../../kafka/compression/codecs.ts';
import type { DeadLetter } from '../../kafka/dead-letter.ts';
import type { Logger } from '../../logging/logger.ts';
import { Counters } from '../../metrics/counters.ts';
import type { StreamFile } from '../../streams/stream-file.ts';
import type { Owner, RecordBatch } from '../../worker/accumulator/batch.ts';
import { Budget } from '../../worker/accumulator/budget.ts';
import type { Topic } from '../../worker/accumulator/topic.ts';
import { ANONYMOUS } from '../../worker/admission/identity.ts';
import { Faults } from '../../worker/faults.ts';
import { Intake } from '../../worker/intake/intake.ts';
import type { DeliveryListener } from '../../worker/producer/delivery-listener.ts';
import { Link } from '../../worker/producer/link.ts';
import type { Producer } from '../../worker/producer/producer.ts';
import { administerTopic } from '../../worker/producer/topic-admin.ts';
import { createStreams, createTopics } from '../../worker/streams/create-streams.ts';
import type { Provenance } from '../../worker/streams/provenance.ts';
import type { Route } from '../../worker/streams/route.ts';
import type { StreamTable } from '../../worker/streams/stream-table.ts';
import { wireProducer } from '../../worker/wire.ts';
import { MarkingAccumulator } from './replay-accumulator.ts';
import { decodeLetter } from './replay-stages.ts';

/** Results of the events of a replay. A ticket names a dead letter. */
export interface ResultListener {
  /** The result of an event follows, once for each call. */
  accepted(ticket: number): void;
  /** Kafka has confirmed an event. */
  stored(ticket: number): void;
  /** An event was not confirmed; `timeout`: it may be stored. */
  rejected(ticket: number, code: EventCode, message: string): void;
  /** No event can be stored until an operator acts. */
  failed(error: StartError): void;
}

export interface LanesOptions {
  readonly config: Config;
  /** See streamsForReplay. */
  readonly file: StreamFile;
  /** Topic of the stream that is replayed to. */
  readonly topic: string;
  readonly log: Logger;
  readonly say: (line: string) => void;
}

export class ReplayLanes {
  readonly table: StreamTable;
  readonly #config: Config;
  readonly #topic: Topic;
  readonly #accumulator: MarkingAccumulator;
  readonly #intake: Intake;
  readonly #producer: Producer;
  readonly #owner: Owner;
  readonly #log: Logger;
  readonly #faults: Faults;
  #results!: ResultListener;

  constructor({ config, file, topic, log, say }: LanesOptions) {
    this.#config = config;
    this.#log = log;
    const { bufferBytes, batchBytes, maxFrameBytes } = config;
    const budget = new Budget(bufferBytes);
    const accumulator = new MarkingAccumulator({
      budget,
      batchBytes,
      maxEventBytes: maxFrameBytes,
    });
    const topics = createTopics(
      { streams: file.streams, areDeclared: true },
      budget,
      maxFrameBytes,
    );
    const target = topics.find(({ name }) => name === topic);
    assert(target !== undefined, 'each stream has its topic');
    const counters = new Counters();
    const faults = new Faults((fault) => say(faultLine(fault)));
    const reporting = { counters, log, faults };
    this.#topic = target;
    this.#accumulator = accumulator;
    this.#faults = faults;
    this.table = createStreams({ file, areDeclared: true }, { budget, topics }, config, reporting);
    this.#intake = new Intake(accumulator, counters, (_owner, ticket, _event, code, message) => {
      this.#results.accepted(ticket);
      this.#results.rejected(ticket, code, message);
    });
    this.#owner = {
      plain: false,
      transport: 'http',
      identity: ANONYMOUS,
      accepted: (ticket) => this.#results.accepted(ticket),
      settled: () => true,
      rejected: () => {},
    };
    // Batches never expire: a later one must not overtake an earlier one that was given up.
    const bounds = { ...config, eventTimeoutMs: Number.POSITIVE_INFINITY };
    const buffer = { budget, accumulator, topics: [target] };
    this.#producer = wireProducer(bounds, buffer, reporting, this.#kafka(), this.#deliveries());
  }

  /**
   * Connects to Kafka, and reads the configuration of the topic. Fulfilled once events have
   * partitions.
   * @throws AbortError
   */
  async start(results: ResultListener, signal: AbortSignal): Promise<void> {
    this.#results = results;
    const topic = this.#topic;
    this.#producer.start();
    const facts = await administerTopic({
      kafka: kafkaOptions(this.#config),
      topic: topic.name,
      creation: () => undefined,
      declared: () => undefined,
      isWanted: () => !signal.aborted,
      isDeclared: true,
      isMissing: () => topic.state === 'missing',
      creationFailed: () => {},
      log: this.#log,
      faults: this.#faults,
    });
    signal.throwIfAborted();
    if (facts === undefined) return;
    topic.maxMessageBytes = facts.maxMessageBytes;
    topic.timestamps = facts.timestamps;
  }

  /** The partitions of the topic are known. */
  get isReady(): boolean {
    return this.#topic.partitions.length > 0;
  }

  /** There is memory for another dead letter. */
  get hasRoom(): boolean {
    return this.#accumulator.acceptsFrames(this.#topic);
  }

  /**
   * Produces the events of a dead letter.
   * @param ticket names it in the results
   */
  send(
    ticket: number,
    partition: number,
    letter: DeadLetter,
    route: Route,
    provenance: Provenance,
  ): void {
    const { offset, received, value } = letter;
    assert(value !== null, 'only dead letters with a value pass the check');
    const intake = this.#intake;
    this.#accumulator.setOrigin(partition, offset);
    intake.begin(this.#owner, ticket, route, false, undefined, undefined, provenance, received);
    intake.countReceived(decodeLetter(letter, value, this.#config, intake));
  }

  /** Starts no further requests. Those in flight may still be stored. */
  freeze(): void {
    for (const { lane } of this.#topic.partitions) lane.hold(Number.POSITIVE_INFINITY);
    // The producer may be at work on a result.
    queueMicrotask(() => this.stop());
  }

  stop(): void {
    this.#producer.stop();
  }

  #deliveries(): DeliveryListener {
    const accumulator = this.#accumulator;
    const release = (batch: RecordBatch) => accumulator.release(batch);
    return {
      stored: (batch) => {
        for (const ticket of batch.frames) this.#results.stored(ticket);
        release(batch);
      },
      rejected: (batch, code) => {
        for (const ticket of batch.frames) this.#results.rejected(ticket, code, '');
        release(batch);
      },
      overdue: () => assert.fail('batches have no deadline'),
    };
  }

  #kafka() {
    const { clientId = '', ssl, sasl } = kafkaOptions(this.#config);
    const link = { clientId, ssl: ssl as object | undefined, sasl, logger: this.#log };
    const { kafkaBrokers, compression } = this.#config;
    return {
      bootstrap: kafkaBrokers.map((broker) => parseBrokerAddress(broker)!),
      createLink: (address: Link['address']) => new Link(address, link),
      codec: configuredCodec(compression),
      topicListener: {
        reached: () => {},
        topicMissing: () => {},
        topicRecreated: () => {},
        unreachable: () => {},
        refusedByPolicy: () => {},
        authenticationFailed: (why: string) =>
          this.#results.failed(
            new StartError(`replay: Kafka rejected the credentials (${why})`, EXIT.failed),
          ),
      },
    };
  }
}

/** Returns a fault of Kafka as a line. */
function faultLine({ message, fields }: Fault): string {
  const facts = Object.entries(fields).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return facts.length === 0 ? message : `${message}: ${facts.join(', ')}`;
}

/** The real producer over real links, with one broker that a test scripts. */
import { pino } from 'pino';
import type { EventCode } from '../../../src/common/errors.ts';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { murmur2, partitionOfHash } from '../../../src/worker/accumulator/murmur2.ts';
import { type Address, Link } from '../../../src/worker/producer/link.ts';
import type { Producer } from '../../../src/worker/producer/producer.ts';
import { wireBuffer, wireProducer } from '../../../src/worker/wire.ts';
import { appendEvent, valuesOf } from '../../../testing/batches.ts';
import { PATIENCE_MS, until } from '../../../testing/wait.ts';
import { API, type BrokerRequest, startBroker } from '../../fakes/scripted-broker.ts';
import type { TcpServer } from '../../fakes/tcp-server.ts';
import { type FaultLine, recordFaults } from '../faults.ts';
import { Encoder } from '../kafkajs-protocol.ts';

const TOPIC = 'events';
const BROKER = 1;

/** A received produce request. */
export interface Produced {
  /** Number of the connection, in the order of opening. */
  readonly connection: number;
  readonly atMs: number;
  readonly ackTimeoutMs: number;
  readonly partitions: readonly number[];
}

/** Reply of the broker. */
export interface Reply {
  /** Kafka's error codes, if not 0. */
  readonly codes?: Readonly<Record<number, number>>;
  readonly delayMs?: number;
  readonly throttleMs?: number;
  /** No response: the broker is silent, or resets the connection. */
  readonly instead?: 'silence' | 'reset';
}

export interface RigOptions {
  readonly partitions?: number;
  readonly maxRequestBytes?: number;
  readonly eventTimeoutMs?: number;
  readonly lingerMs?: number;
  /** Reply to each produce request; default: everything is stored at once. */
  readonly reply?: (request: Produced) => Reply;
}

const started: ProduceRig[] = [];

/** Stops rigs that failed tests have left; for the end of a file. */
export function endRigs(): void {
  for (const rig of started) rig.end();
}

export class ProduceRig {
  readonly #buffer = wireBuffer({
    kafkaTopic: TOPIC,
    bufferBytes: 64 * MIB,
    batchBytes: 64 * KIB,
    maxFrameBytes: 64 * KIB,
  });
  readonly budget = this.#buffer.budget;
  readonly producer: Producer;
  readonly requests: Produced[] = [];
  readonly lines: FaultLine[];
  /** Values in the order of their results. */
  readonly stored: string[] = [];
  readonly refused: [value: string, code: EventCode][] = [];
  readonly partitions: number;
  reply: (request: Produced) => Reply;
  /** Called when a batch of this partition is stored. */
  onStored: (partition: number) => void = () => {};
  /** Called when Kafka starts or stops to reject by policy. */
  onPolicy: (refused: boolean) => void = () => {};
  readonly #server: TcpServer;
  readonly #keys: string[] = [];

  private constructor(server: TcpServer, options: RigOptions) {
    this.#server = server;
    this.partitions = options.partitions ?? 2;
    this.reply = options.reply ?? (() => ({}));
    const { accumulator } = this.#buffer;
    const { faults, lines } = recordFaults();
    this.lines = lines;
    const logger = pino({ enabled: false });
    const link = { clientId: 'forebay-test', ssl: undefined, sasl: undefined, logger };
    const { lingerMs = 0, eventTimeoutMs = 60_000, maxRequestBytes = MIB } = options;
    const settings = { lingerMs, eventTimeoutMs, maxRequestBytes };
    const connection = {
      bootstrap: [server.address],
      createLink: (address: Address) => new Link(address, link),
      codec: undefined,
      topicListener: {
        reached: () => {},
        topicMissing: () => {},
        topicRecreated: () => {},
        unreachable: () => {},
        refusedByPolicy: (refused: boolean) => this.onPolicy(refused),
        authenticationFailed: () => {},
      },
    };
    const reporting = { counters: new Counters(), log: logger, faults };
    this.producer = wireProducer(settings, this.#buffer, reporting, connection, {
      stored: (batch) => {
        const values = valuesOf(batch);
        accumulator.release(batch);
        this.stored.push(...values);
        this.onStored(Number(values[0]!.split(':')[0]));
      },
      rejected: (batch, code) => {
        for (const value of valuesOf(batch)) this.refused.push([value, code]);
        accumulator.release(batch);
      },
      overdue: (batch) => {
        batch.answered = true;
      },
    });
  }

  /** Starts a broker and a producer, and waits until the topic is known. */
  static async start(options: RigOptions = {}): Promise<ProduceRig> {
    let rig: ProduceRig;
    const server = await startBroker((request) => rig.#answer(request));
    rig = new ProduceRig(server, options);
    started.push(rig);
    rig.producer.start();
    const known = () => rig.#buffer.topics[0]!.partitions.length > 0 && rig.connections > 0;
    await until(known, { everyMs: 2, what: 'the topic' });
    return rig;
  }

  /** Number of connections, apart from the one for metadata. */
  get connections(): number {
    return this.#server.sockets.length - 1;
  }

  /** Sends an event whose value starts with its partition and ":". */
  send(partition: number, bytes = 10, name = ''): void {
    const value = Buffer.from(`${partition}:${name}`.padEnd(bytes));
    const { accumulator, topics } = this.#buffer;
    appendEvent(accumulator, topics[0]!, this.#keyOf(partition), value);
  }

  /** Waits until this many events are stored. */
  async storedCount(count: number, deadlineMs = PATIENCE_MS): Promise<void> {
    const what = () => `stored events; there are ${this.stored.length} of ${count}`;
    await until(() => this.stored.length >= count, { deadlineMs, everyMs: 2, what });
  }

  /** Returns the requests with a batch of `partition`. */
  requestsWith(partition: number): Produced[] {
    return this.requests.filter(({ partitions }) => partitions.includes(partition));
  }

  end(): void {
    this.producer.stop();
    this.#server.destroy();
  }

  #answer(request: BrokerRequest): void {
    const { apiKey, respond } = request;
    if (apiKey === API.metadata) return respond(this.#metadata());
    if (apiKey === API.initProducerId) return respond(PRODUCER_ID);
    const produced = this.#read(request);
    this.requests.push(produced);
    const { codes = {}, delayMs = 0, throttleMs = 0, instead } = this.reply(produced);
    if (instead === 'silence') return;
    if (instead === 'reset') return void request.socket.resetAndDestroy();
    const answer = produceAnswer(produced.partitions, codes, throttleMs);
    if (delayMs === 0) respond(answer);
    else setTimeout(() => respond(answer), delayMs);
  }

  #read({ body, socket }: BrokerRequest): Produced {
    body.readString();
    body.readInt16();
    const ackTimeoutMs = body.readInt32();
    body.readInt32();
    body.readString();
    const partitions = Array.from({ length: body.readInt32() }, () => {
      const partition = body.readInt32();
      body.readBytes();
      return partition;
    });
    const connection = this.#server.sockets.indexOf(socket) - 1;
    return { connection, atMs: performance.now(), ackTimeoutMs, partitions };
  }

  #metadata(): Buffer {
    const { host, port } = this.#server.address;
    const broker = new Encoder().writeInt32(BROKER).writeString(host).writeInt32(port);
    const partitions = Array.from({ length: this.partitions }, (_, partition) =>
      new Encoder()
        .writeInt16(0)
        .writeInt32(partition)
        .writeInt32(BROKER)
        .writeArray([])
        .writeArray([]),
    );
    const topic = new Encoder().writeInt16(0).writeString(TOPIC).writeBoolean(false);
    return new Encoder()
      .writeInt32(0)
      .writeArray([broker.writeString(null)])
      .writeString('cluster')
      .writeInt32(BROKER)
      .writeArray([topic.writeArray(partitions)]).buffer;
  }

  /** Returns a key that maps to this partition. */
  #keyOf(partition: number): string {
    for (let number = 0; this.#keys[partition] === undefined; number++) {
      const key = Buffer.from(`key ${number}`);
      this.#keys[partitionOfHash(murmur2(key, 0, key.length), this.partitions)] ??= key.toString();
    }
    return this.#keys[partition]!;
  }
}

const PRODUCER_ID = new Encoder().writeInt32(0).writeInt16(0).writeInt64(77).writeInt16(0).buffer;

function produceAnswer(
  partitions: readonly number[],
  codes: Readonly<Record<number, number>>,
  throttleMs: number,
): Buffer {
  const encoded = partitions.map((partition) =>
    new Encoder()
      .writeInt32(partition)
      .writeInt16(codes[partition] ?? 0)
      .writeInt64(1)
      .writeInt64(-1)
      .writeInt64(0),
  );
  const topic = new Encoder().writeString(TOPIC).writeArray(encoded);
  return new Encoder().writeArray([topic]).writeInt32(throttleMs).buffer;
}

/**
 * Life cycle of a worker process: start, messages of the primary, drain. Invariant: it listens only
 * with its streams and keys, and exits only once every event is settled or the deadline has passed.
 */

import { EXIT, StartError } from '../common/errors.ts';
import { printable } from '../common/printable.ts';
import { processSignals } from '../common/process-signals.ts';
import type { Config } from '../config/config.ts';
import { connectionBounds } from '../config/fd-limits.ts';
import { LIMITS } from '../config/limits.ts';
import type { OutageNotice, Readiness, ToWorker } from '../ipc.ts';
import { createLogger, type Logger } from '../logging/logger.ts';
import { Counters } from '../metrics/counters.ts';
import type { Authenticator } from './admission/authenticator.ts';
import { createAuthenticator } from './admission/create-authenticator.ts';
import { loadKernel } from './decoder/kernel/kernel.ts';
import type { EventStorage } from './event-storage.ts';
import { Faults } from './faults.ts';
import { Inbox } from './inbox.ts';
import { Listener } from './ingress/listener.ts';
import { tlsFiles } from './ingress/tls.ts';
import { loadTransport } from './ingress/transport/choose-transport.ts';
import type { Transport } from './ingress/transport/transport.ts';
import { LoopLag } from './loop-lag.ts';
import { Eviction } from './overload/eviction.ts';
import { MemoryLimit } from './overload/memory-limit.ts';
import { pageSettings } from './page-settings.ts';
import { PROCESS_CHANNEL, type PrimaryChannel, type WorkerParts } from './primary-channel.ts';
import type { DeliveryListener } from './producer/delivery-listener.ts';
import type { EventProducer } from './producer/event-producer.ts';
import { kafkaConnection } from './producer/kafka-connection.ts';
import type { TopicListener } from './producer/topic-listener.ts';
import { receiveStreams } from './receive-streams.ts';
import { Reporter } from './reporter.ts';
import type { StreamDeclarations } from './streams/create-streams.ts';
import { StreamReload } from './streams/reload.ts';
import { tailOnDemand } from './tail/on-demand.ts';
import { TopicAdministration } from './topic-administration.ts';
import {
  type EventBuffer,
  type Ingress,
  type IntakeStages,
  type Reporting,
  wireBuffer,
  wireIngress,
  wireIntake,
  wireProducer,
} from './wire.ts';

/** Interval at which a drain checks whether all events are settled. */
const SETTLED_POLL_MS = 5;
/** Time for close frames to leave before the sockets are closed. */
const CLOSE_FRAMES_MS = 100;
const NO_KERNEL = 'WebAssembly with SIMD is not available, validating events takes longer';

/**
 * Runs a worker until the primary drains it or disconnects.
 * @throws StartError if it fails to start: a replacement would fail too, until an operator acts
 */
export async function runWorker(config: Config): Promise<void> {
  // A terminal's Ctrl-C and a manager's SIGTERM reach the whole group: the primary decides.
  const { stop, restart } = processSignals();
  for (const signal of [...stop, ...restart]) process.on(signal, () => {});
  // Without a primary, nothing could stop or replace this worker.
  process.on('disconnect', () => process.exit(EXIT.failed));
  const log = createLogger(config, `worker ${process.env.FOREBAY_WORKER_SLOT}`);
  await startWorker(config, { log, channel: PROCESS_CHANNEL });
}

/** Starts a worker; returns when it listens. @throws StartError, see {@link runWorker} */
export async function startWorker(config: Config, parts: WorkerParts): Promise<void> {
  const inbox = new Inbox(parts.channel);
  const counters = new Counters();
  const declarations = await receiveStreams(config, inbox, counters, parts.channel);
  const authenticator = await createAuthenticator(config, parts.log);
  const transport = await loadTransport(config.transport);
  const worker = new Worker(config, declarations, counters, parts, authenticator, transport);
  await worker.start(inbox);
}

class Worker {
  readonly #config: Config;
  /** The latest ones received, in use or being prepared. */
  #declarations: StreamDeclarations;
  readonly #reload: StreamReload;
  readonly #administration: TopicAdministration;
  readonly #log: Logger;
  readonly #channel: PrimaryChannel;
  readonly #storage: EventStorage | undefined;
  readonly #authenticator: Authenticator;
  readonly #buffer: EventBuffer;
  readonly #intakeStages: IntakeStages;
  readonly #producer: EventProducer;
  readonly #ingress: Ingress;
  readonly #listener: Listener;
  readonly #counters: Counters;
  readonly #reportsPartial: boolean;
  readonly #reporter: Reporter;
  readonly #memory: MemoryLimit;
  readonly #watchTail: ReturnType<typeof tailOnDemand>;
  readonly #faults = new Faults((fault) => void this.#channel.send({ type: 'fault', fault }));
  readonly #lag = new LoopLag();
  /** Has begun to listen. */
  #listens = false;
  #outage: OutageNotice | undefined;
  #readiness: Readiness = { ready: false, reasons: ['starting'] };
  /** End of the drain, settled or not; undefined = not draining. */
  #drainEndMs: number | undefined;

  constructor(
    config: Config,
    declarations: StreamDeclarations,
    counters: Counters,
    { log, channel, storage }: WorkerParts,
    authenticator: Authenticator,
    transport: Transport,
  ) {
    this.#config = config;
    this.#counters = counters;
    this.#declarations = declarations;
    this.#log = log;
    this.#channel = channel;
    this.#storage = storage;
    this.#authenticator = authenticator;
    const reporting = { counters, log, faults: this.#faults };
    const buffer = wireBuffer(config, {
      streams: declarations.file.streams,
      areDeclared: declarations.areDeclared,
    });
    const rejections = storage?.rejections(counters);
    const intakeStages = wireIntake(config, buffer, reporting, declarations, rejections);
    const { acknowledger, streams, deliveries, violations, keyOutcomes } = intakeStages;
    const producer = this.#createProducer(buffer, reporting, deliveries);
    const memory = new MemoryLimit(config.maxRssBytes, log);
    const connections = connectionBounds(config.maxConnections);
    const ingress = wireIngress(config, buffer, intakeStages, reporting, {
      authenticator,
      memory,
      connections,
      readiness: () => this.#readiness,
      page: pageSettings(config, streams, () => this.#outage),
    });
    this.#buffer = buffer;
    this.#intakeStages = intakeStages;
    this.#producer = producer;
    this.#memory = memory;
    this.#reportsPartial = transport.reportsPartial;
    this.#ingress = ingress;
    this.#listener = new Listener({
      ...ingress,
      streams,
      transport,
      host: config.host,
      port: config.port,
      tls: tlsFiles(config),
      logsCertificate: process.env.FOREBAY_WORKER_SLOT === '1',
      trustedProxies: config.trustedProxies,
      maxConnections: connections.all,
      counters: reporting.counters,
      log,
    });
    this.#watchTail = tailOnDemand(config, { ...intakeStages, log }, (message) =>
      channel.send(message),
    );
    const { budget, topics } = buffer;
    const input = ingress.inputMemory;
    this.#reload = new StreamReload({
      streams,
      budget,
      topics,
      producer,
      connections: ingress.webSocket,
      reporting: { ...reporting, violations },
      settings: config,
      eventTimeoutMs: config.eventTimeoutMs,
    });
    const stages = { budget, topics, producer, acknowledger, violations, keyOutcomes };
    const parts = { ...stages, lag: this.#lag, input, memory };
    this.#reporter = new Reporter(reporting.counters, parts, (message) => channel.send(message));
    this.#administration = new TopicAdministration(config, {
      declarations: () => this.#declarations,
      reporter: this.#reporter,
      log,
      faults: this.#faults,
      send: (message) => channel.send(message),
      refresh: () => producer.refresh(),
    });
  }

  /** Starts listening, and connecting to Kafka. @throws StartError */
  async start(inbox: Inbox): Promise<void> {
    inbox.listen((message) => this.#onMessage(message));
    // Without its keys it would reject valid clients.
    if (!this.#authenticator.waitsForKeys) await this.#listen();
    // The drain ends the process by itself.
    if (this.#drainEndMs !== undefined) return;
    this.#lag.start();
    this.#reporter.start();
    const kernel = loadKernel();
    if (kernel instanceof Error) this.#faults.warnOnce('', { reason: kernel.message }, NO_KERNEL);
    const { inputMemory, webSocket, turn } = this.#ingress;
    const silent = this.#reportsPartial ? undefined : webSocket;
    this.#memory.start(() => new Eviction(inputMemory, silent));
    turn.onEnd(() => this.#memory.checkAfterTurn());
    this.#producer.start();
  }

  async #listen(): Promise<void> {
    this.#listens = true;
    await this.#listener.listen();
    this.#reporter.listens();
  }

  /** Applies new keys to authentication; starts listening with the first ones. */
  async #applyKeys(message: ToWorker & { readonly type: 'keys' }): Promise<void> {
    this.#counters.assign(message.slots);
    this.#authenticator.setKeys(message);
    this.#ingress.webSocket.checkIdentities();
    if (this.#listens || this.#drainEndMs !== undefined) return;
    try {
      await this.#listen();
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      void this.#fail(error.message);
    }
  }

  /** Switches to another version of the stream file. */
  async #applyStreams({
    version,
    file,
    slots,
  }: ToWorker & { readonly type: 'streams' }): Promise<void> {
    this.#counters.assign(slots);
    this.#declarations = { file, areDeclared: true };
    try {
      if (!(await this.#reload.apply(file))) return;
      await this.#channel.send({ type: 'streamsApplied', version, failure: undefined });
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      await this.#channel.send({ type: 'streamsApplied', version, failure: error.message });
    }
  }

  #createProducer(
    buffer: EventBuffer,
    reporting: Reporting,
    deliveries: DeliveryListener,
  ): EventProducer {
    const config = this.#config;
    const topicListener = this.#topicListener();
    if (this.#storage === undefined) {
      const connection = kafkaConnection(config, this.#log, topicListener);
      return wireProducer(config, buffer, reporting, connection, deliveries);
    }
    const file = () => this.#declarations.file;
    return this.#storage.createProducer({
      ...buffer,
      ...reporting,
      topicListener,
      deliveries,
      file,
    });
  }

  #topicListener(): TopicListener {
    return {
      reached: () => this.#reporter.kafkaReached(),
      topicMissing: (topic) => {
        if (!this.#administration.isDeclared(topic)) return;
        void this.#channel.send({ type: 'topicMissing', topic: topic.name });
      },
      topicRecreated: ({ name: topic }) =>
        void this.#channel.send({ type: 'topicRecreated', topic }),
      unreachable: (why) => this.#reporter.kafka(why),
      refusedByPolicy: (refused) => this.#reporter.refusedByPolicy(refused),
      authenticationFailed: (error) =>
        this.#fail(`Kafka authentication failed: ${printable(error)}`),
    };
  }

  #onMessage(message: ToWorker): void {
    switch (message.type) {
      case 'readiness':
        this.#readiness = message.readiness;
        this.#outage = message.outage;
        break;
      case 'topicAdmin':
        if (this.#storage !== undefined) break;
        for (const topic of this.#buffer.topics) {
          if ((message.topic ?? topic.name) === topic.name)
            void this.#administration.administer(topic);
        }
        break;
      case 'topicFacts':
        for (const topic of this.#buffer.topics) {
          if (message.facts.topic === topic.name) {
            topic.maxMessageBytes = message.facts.maxMessageBytes;
            topic.timestamps = message.facts.timestamps;
          }
        }
        this.#producer.health.authenticated();
        break;
      case 'keys':
        void this.#applyKeys(message);
        break;
      case 'streams':
        void this.#applyStreams(message);
        break;
      case 'tail':
        this.#watchTail(message.viewers);
        break;
      case 'drain':
        void this.#drain(message.timeoutMs);
        break;
    }
  }

  /**
   * Sends `goaway`, settles events, closes all connections, and exits. Frames that clients sent
   * before they read the `goaway` are accepted for a bounded time. A second call can only bring the
   * deadline closer.
   */
  async #drain(timeoutMs: number): Promise<void> {
    const endMs = performance.now() + timeoutMs;
    const begun = this.#drainEndMs !== undefined;
    this.#drainEndMs = Math.min(endMs, this.#drainEndMs ?? endMs);
    if (begun) return;
    this.#listener.drain();
    this.#producer.flush();
    const { lastRequestsMs, goawayGraceMs } = LIMITS;
    const sinceMs = performance.now();
    const passedMs = () => performance.now() - sinceMs;
    const allGone = () => passedMs() >= lastRequestsMs && !this.#listener.busy;
    await this.#drainUntil(() => allGone() || passedMs() >= goawayGraceMs);
    this.#ingress.webSocket.rejectHandshakes();
    this.#intakeStages.intake.drain();
    this.#reload.drain();
    await this.#drainUntil(() => this.#producer.settled && !this.#listener.decoding);
    await this.#deadLettersSettled();
    this.#intakeStages.acknowledger.flush();
    this.#ingress.webSocket.closeAll();
    await pause(CLOSE_FRAMES_MS);
    this.#listener.close();
    this.#producer.stop();
    this.#lag.stop();
    const left = this.#reporter.stop();
    await this.#channel.send({ type: 'drained', left });
    this.#channel.exit(left === 0 ? EXIT.clean : EXIT.failed);
  }

  /** Waits for dead letters, but not for long: no sender waits for them. */
  async #deadLettersSettled(): Promise<void> {
    const { deadLetters } = this.#intakeStages;
    const endMs = performance.now() + LIMITS.lastRequestsMs;
    await this.#drainUntil(() => deadLetters.settled || performance.now() >= endMs);
  }

  async #drainUntil(done: () => boolean): Promise<void> {
    while (!done() && performance.now() < (this.#drainEndMs ?? 0)) {
      this.#ingress.webSocket.checkAges();
      await pause(SETTLED_POLL_MS);
    }
  }

  async #fail(message: string): Promise<void> {
    await this.#channel.send({ type: 'fatal', message, exitCode: EXIT.failed });
    this.#channel.exit(EXIT.failed);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

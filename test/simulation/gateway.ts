/** One worker, on simulated sockets and brokers. */

import { readConfig } from '../../src/config/config.ts';
import type { Codec } from '../../src/kafka/compression/codecs.ts';
import type { Logger } from '../../src/logging/logger.ts';
import { Counters, type MetricSnapshot } from '../../src/metrics/counters.ts';
import { MetricTotals } from '../../src/primary/metric-totals.ts';
import { implicitStream } from '../../src/streams/implicit-stream.ts';
import type { Budget } from '../../src/worker/accumulator/budget.ts';
import type { Topic } from '../../src/worker/accumulator/topic.ts';
import { Authenticator } from '../../src/worker/admission/authenticator.ts';
import { Origins } from '../../src/worker/admission/origins.ts';
import { Faults } from '../../src/worker/faults.ts';
import type { HttpHandler } from '../../src/worker/ingress/http/http-handler.ts';
import type { WebSocketHandler } from '../../src/worker/ingress/websocket/websocket-handler.ts';
import { loadValidator } from '../../src/worker/intake/validator.ts';
import type { DeliveryListener } from '../../src/worker/producer/delivery-listener.ts';
import type { Address, CreateLink } from '../../src/worker/producer/link.ts';
import type { Producer } from '../../src/worker/producer/producer.ts';
import { Reporter } from '../../src/worker/reporter.ts';
import type { ActiveStreams } from '../../src/worker/streams/active-streams.ts';
import { StreamReload } from '../../src/worker/streams/reload.ts';
import { wireBuffer, wireIngress, wireIntake, wireProducer } from '../../src/worker/wire.ts';
import {
  type FakeResponse,
  type FakeSocket,
  fakeRequest,
  openSocket,
  type Peer,
} from '../fakes/uws.ts';
import type { PostRequest } from './client-world.ts';
import type { Plan } from './plan.ts';
import type { Report } from './report.ts';
import { type StreamsPlan, streamFileOf } from './streams.ts';

/** Compiled once: validity does not depend on the seed. */
const validate = loadValidator(undefined);
const KEY_FIELD = 'clientId';
/** Without rates and without bounds per address. */
const DEFAULTS = readConfig({});
/** For a test page that sends no request. */
const NO_PAGE = {
  brokers: [],
  idField: 'id',
  streams: [],
  areDeclared: false,
  outage: () => undefined,
};

const WORKER = 1;

export interface GatewayOptions {
  readonly plan: Plan;
  readonly topic: string;
  readonly bootstrap: readonly Address[];
  readonly createLink: CreateLink;
  readonly log: Logger;
  readonly report: Report;
  readonly codec: Codec | undefined;
  /** Observes delivery outcomes before the acknowledger. */
  readonly watch: (outcomes: DeliveryListener) => DeliveryListener;
  /** Receives the snapshots sent to the primary. */
  readonly onNumbers: ((metrics: MetricSnapshot) => void) | undefined;
}

export class Gateway {
  readonly counters = new Counters();
  readonly budget: Budget;
  readonly #topics: readonly Topic[];
  readonly producer: Producer;
  /** Totals as computed by the primary. */
  readonly #totals = new MetricTotals(1);
  readonly #onNumbers: GatewayOptions['onNumbers'];
  readonly #report: Report;
  readonly #reporter: Reporter;
  readonly #webSocket: WebSocketHandler;
  readonly #http: HttpHandler;
  readonly #streams: ActiveStreams;
  readonly #reload: StreamReload;

  constructor({ plan, report, watch, codec, onNumbers, log, ...options }: GatewayOptions) {
    const { counters } = this;
    this.#onNumbers = onNumbers;
    this.#totals.begin(1, WORKER);
    this.#report = report;
    const settings = {
      ...DEFAULTS,
      ...plan,
      kafkaTopic: options.topic,
      keyField: KEY_FIELD,
      maxConnectionAgeMs: plan.maxAgeMs,
      drainSpreadMs: 500,
    };
    const faults = new Faults(({ fields, message }) => log.warn(fields, message));
    const reporting = { counters, log, faults };
    const { streams } = plan;
    const file = streams && streamFileOf(streams, KEY_FIELD, false);
    const declarations = {
      file: file ?? implicitStream(settings),
      areDeclared: file !== undefined,
      validate,
    };
    const { areDeclared } = declarations;
    const buffer = wireBuffer(settings, { streams: declarations.file.streams, areDeclared });
    this.#topics = buffer.topics;
    const decision = wireIntake(settings, buffer, reporting, declarations);
    const { acknowledger, deliveries } = decision;
    const connection = {
      bootstrap: options.bootstrap,
      createLink: options.createLink,
      codec,
      topicListener: {
        reached: () => this.#reporter.kafkaReached(),
        topicMissing: () => {},
        topicRecreated: () => {},
        unreachable: (why: string) => this.#reporter.kafka(why),
        refusedByPolicy: (refused: boolean) => this.#reporter.refusedByPolicy(refused),
        authenticationFailed: (error: string) =>
          report.violation(`authentication failed: ${error}`),
      },
    };
    this.producer = wireProducer(settings, buffer, reporting, connection, watch(deliveries));
    const memory = { exceeded: false };
    const { webSocket, http, inputMemory } = wireIngress(settings, buffer, decision, reporting, {
      authenticator: new Authenticator({ origins: new Origins(undefined), log }),
      memory,
      connections: { all: settings.maxConnections, webSockets: settings.maxConnections },
      readiness: () => ({ ready: true, reasons: [] }),
      page: NO_PAGE,
    });
    this.#webSocket = webSocket;
    this.#http = http;
    this.budget = buffer.budget;
    this.#streams = decision.streams;
    this.#reload = new StreamReload({
      ...{ streams: decision.streams, budget: buffer.budget, topics: buffer.topics, reporting },
      producer: this.producer,
      connections: webSocket,
      settings,
      eventTimeoutMs: settings.eventTimeoutMs,
    });
    this.#reporter = new Reporter(
      counters,
      {
        budget: buffer.budget,
        topics: buffer.topics,
        producer: this.producer,
        acknowledger,
        lag: { takeSeconds: () => 0 },
        input: inputMemory,
        memory,
        violations: decision.violations,
        keyOutcomes: decision.keyOutcomes,
      },
      async (message) => {
        if (message.type === 'snapshot') this.#account(copyOf(message.metrics));
      },
    );
  }

  start(): void {
    this.#reporter.start();
    this.producer.start();
  }

  /** Switches to another version of the stream file, when its topics are usable. */
  async reload(plan: StreamsPlan, isMoved: boolean): Promise<void> {
    await this.#reload.apply(streamFileOf(plan, KEY_FIELD, isMoved));
  }

  /** Returns the topic of a stream for frames that begin now. */
  topicOf(stream: string): string | undefined {
    return this.#streams.table.find(stream)?.topic.name;
  }

  /** A topic is above its high-water mark. */
  get isPressed(): boolean {
    return this.#topics.some(({ share }) => (share ?? this.budget).underPressure);
  }

  /** Checks that a topic without events has room, whatever others hold. */
  checkShares(): void {
    for (const { name, share } of this.#topics) {
      const hasRoom = share === undefined || share.usedBytes > 0 || share.acceptsFrames;
      this.#report.demand(hasRoom, `other topics leave no room for ${name}`);
    }
  }

  /** Checks at rest that each topic has returned its memory. */
  checkReturned(): void {
    for (const { name, share } of this.#topics) {
      const bytes = share?.usedBytes ?? 0;
      this.#report.demand(bytes === 0, `${name} holds ${bytes} bytes of its share`);
    }
    const held = JSON.stringify(this.budget.shared);
    const none = Object.values(this.budget.shared).every((bytes) => bytes === 0);
    this.#report.demand(none, `shares hold ${held}`);
  }

  stop(): void {
    this.#webSocket.close();
    this.#http.close();
    this.producer.stop();
    const left = this.#reporter.stop();
    this.#report.demand(left === 0, `${left} events are left in flight`);
  }

  /** @param path below `/ws`, with the query */
  connect(protocol: string, peer: Peer, path: string): FakeSocket | undefined {
    return openSocket(this.#webSocket.behavior, protocol, peer, `/ws${path}`);
  }

  post(response: FakeResponse, { bytes, isNdjson, path, declaration }: PostRequest): void {
    const headers = {
      'content-type': isNdjson ? 'application/x-ndjson' : 'application/json',
      'content-length': String(bytes),
      ...(declaration === 'header' ? { 'forebay-resent': '1' } : {}),
    };
    const query = declaration === 'query' ? '?resent=1' : '';
    this.#http.handle(response, fakeRequest('POST', `/events${path}${query}`, headers));
  }

  /** Checks at each snapshot that every event is stored, rejected, dropped or in flight. */
  #account(metrics: MetricSnapshot): void {
    this.#totals.update(WORKER, metrics);
    this.#onNumbers?.(metrics);
    const unaccounted = this.#totals.unaccounted();
    this.#report.demand(unaccounted === 0, `${unaccounted} events are unaccounted`);
  }
}

/** Copies a snapshot, as sending it does. */
function copyOf({ version, values, keyValues }: MetricSnapshot): MetricSnapshot {
  return { version, values: values.slice(), keyValues: keyValues.slice() };
}

/** One worker as src/worker/worker.ts wires it, on simulated sockets and brokers. */

import { SETTINGS } from '../../src/config/config.ts';
import type { Codec } from '../../src/kafka/compression/codecs.ts';
import type { Logger } from '../../src/logging/logger.ts';
import { Counters } from '../../src/metrics/counters.ts';
import { Totals } from '../../src/primary/metric-totals.ts';
import { Accumulator } from '../../src/worker/accumulator/accumulator.ts';
import { Budget } from '../../src/worker/accumulator/budget.ts';
import { Acknowledger } from '../../src/worker/acknowledger/acknowledger.ts';
import { Credit } from '../../src/worker/acknowledger/credit.ts';
import { Gate } from '../../src/worker/admission/authenticator.ts';
import { ConnectionAdmission } from '../../src/worker/admission/connections.ts';
import { Origins } from '../../src/worker/admission/origins.ts';
import { Faults } from '../../src/worker/faults.ts';
import { HttpListener } from '../../src/worker/ingress/http/http.ts';
import { Slicer } from '../../src/worker/ingress/slicer.ts';
import { WebSocketListener } from '../../src/worker/ingress/websocket/websocket.ts';
import { Intake } from '../../src/worker/intake/intake.ts';
import { Keyless } from '../../src/worker/intake/keyless.ts';
import { loadSieve, loadValidator } from '../../src/worker/intake/validator.ts';
import { InputMemory } from '../../src/worker/overload/input-memory.ts';
import { TurnBudget } from '../../src/worker/overload/turn-budget.ts';
import { Compressor } from '../../src/worker/producer/compressor.ts';
import type { Outcomes } from '../../src/worker/producer/delivery-listener.ts';
import type { Address, CreateLink } from '../../src/worker/producer/link.ts';
import { Producer } from '../../src/worker/producer/producer.ts';
import { Reporter } from '../../src/worker/reporter.ts';
import type { Plan } from './plan.ts';
import type { Report } from './report.ts';
import {
  type FakeResponse,
  type FakeSocket,
  fakeRequest,
  openSocket,
  type Peer,
} from './sockets.ts';

/** Compiled once: what is right does not depend on the seed. */
const validate = loadValidator(undefined);
const KEY_FIELD = 'clientId';
const sieve = loadSieve(undefined, KEY_FIELD);
/** For a test page that never asks. */
const NO_PAGE = {
  topic: '',
  brokers: [],
  keyField: KEY_FIELD,
  idField: 'id',
  outage: () => undefined,
  example: async () => ({ event: {}, vary: [] }),
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
  /** Looks at what the producer says before the acknowledger hears it. */
  readonly watch: (outcomes: Outcomes) => Outcomes;
  /** Takes the numbers that the primary is sent. */
  readonly onNumbers: ((values: Float64Array) => void) | undefined;
}

export class Gateway {
  readonly counters = new Counters();
  readonly budget: Budget;
  readonly producer: Producer;
  /** As the primary has them. */
  readonly #totals = new Totals(1);
  readonly #onNumbers: GatewayOptions['onNumbers'];
  readonly #report: Report;
  readonly #reporter: Reporter;
  readonly #webSocket: WebSocketListener;
  readonly #http: HttpListener;

  constructor({ plan, report, watch, codec, onNumbers, ...kafka }: GatewayOptions) {
    const { counters } = this;
    this.#onNumbers = onNumbers;
    this.#totals.begin(1, WORKER);
    const { maxFrameBytes, batchBytes, lingerMs, eventTimeoutMs, maxRequestBytes } = plan;
    const { log } = kafka;
    this.#report = report;
    const budget = new Budget(plan.bufferBytes);
    const accumulator = new Accumulator({ budget, batchBytes, maxEventBytes: maxFrameBytes });
    const credit = new Credit(budget, maxFrameBytes);
    const acknowledger = new Acknowledger(
      counters,
      credit,
      (batch) => accumulator.release(batch),
      log,
    );
    const faults = new Faults(({ fields, message }) => log.warn(fields, message));
    const keyless = new Keyless(KEY_FIELD, counters, faults);
    const intake = new Intake(validate, sieve, accumulator, KEY_FIELD, keyless, (...refusal) =>
      acknowledger.refuse(...refusal),
    );
    this.producer = new Producer({
      ...kafka,
      faults,
      lingerMs,
      eventTimeoutMs,
      maxRequestBytes,
      budget,
      accumulator,
      compressor: codec && new Compressor(codec, budget, log),
      counters,
      outcomes: watch(acknowledger),
      topicListener: {
        reached: () => this.#reporter.kafkaReached(),
        topicMissing: () => {},
        unreachable: (why) => this.#reporter.kafka(why),
        refusedByPolicy: (refused) => this.#reporter.refusedByPolicy(refused),
        loginRefused: (error) => report.violation(`login refused: ${error}`),
      },
    });
    const memory = { over: false };
    const gate = new Gate({ origins: new Origins(undefined), log });
    const admission = new ConnectionAdmission({
      max: SETTINGS.maxConnections.defaultValue(),
      maxPerAddress: 0,
      addressRate: undefined,
      trustedProxies: [],
      memory,
    });
    const turn = new TurnBudget();
    const slicer = new Slicer(turn);
    const inputMemory = new InputMemory(SETTINGS.maxInputBytes.defaultValue());
    const input = { turn, slicer, inputMemory };
    const shared = { intake, acknowledger, gate, admission, log, counters, budget, ...input };
    this.#webSocket = new WebSocketListener({
      ...shared,
      maxFrameBytes,
      maxEventDepth: 64,
      connectionRate: undefined,
      idleMs: SETTINGS.idleTimeoutMs.defaultValue(),
      maxAgeMs: plan.maxAgeMs,
      spreadMs: 500,
    });
    this.#http = new HttpListener({
      ...shared,
      memory,
      log,
      maxEventBytes: maxFrameBytes,
      maxEventDepth: 64,
      timeoutMs: plan.httpTimeoutMs,
      minBodyBytesPerSecond: SETTINGS.minBodyBytesPerSecond.defaultValue(),
      readiness: () => ({ ready: true, reasons: [] }),
      page: NO_PAGE,
    });
    this.budget = budget;
    this.#reporter = new Reporter(
      counters,
      {
        budget,
        producer: this.producer,
        acknowledger,
        lag: { takeSeconds: () => 0 },
        input: inputMemory,
        memory,
      },
      async (message) => {
        if (message.type === 'snapshot') this.#account(message.values.slice());
      },
    );
  }

  start(): void {
    this.#reporter.start();
    this.producer.start();
  }

  stop(): void {
    this.#webSocket.close();
    this.#http.close();
    this.producer.stop();
    const left = this.#reporter.stop();
    this.#report.demand(left === 0, `${left} events are left in flight`);
  }

  connect(protocol: string, peer: Peer): FakeSocket | undefined {
    return openSocket(this.#webSocket.behavior, protocol, peer);
  }

  post(response: FakeResponse, bytes: number, ndjson: boolean): void {
    const headers = {
      'content-type': ndjson ? 'application/x-ndjson' : 'application/json',
      'content-length': String(bytes),
    };
    this.#http.handle(response, fakeRequest('POST', '/events', headers));
  }

  /** Every event is stored, refused, dropped or in flight: at every snapshot. */
  #account(values: Float64Array): void {
    this.#totals.take(WORKER, values);
    this.#onNumbers?.(values);
    const unaccounted = this.#totals.unaccounted();
    this.#report.demand(unaccounted === 0, `${unaccounted} events are unaccounted`);
  }
}

/**
 * Creates the stages of a worker and connects them, in the order of an event's path:
 *
 *   ingress ─▶ decoder ─▶ intake ─▶ accumulator ─▶ producer ─▶ Kafka
 *      ▲                     │ rejected  │ full        │ results
 *      └──── acknowledger ◀──┴───────────┴─────────────┘
 *
 * The worker, the simulation and the tests of single stages share these functions, with different
 * settings, links and listeners.
 */
import type { Config } from '../config/config.ts';
import type { ConnectionBounds } from '../config/fd-limits.ts';
import type { Readiness } from '../ipc.ts';
import type { Codec } from '../kafka/compression/codecs.ts';
import type { Logger } from '../logging/logger.ts';
import type { Counters } from '../metrics/counters.ts';
import { Accumulator } from './accumulator/accumulator.ts';
import { Budget } from './accumulator/budget.ts';
import type { Topic } from './accumulator/topic.ts';
import { Acknowledger } from './acknowledger/acknowledger.ts';
import { Credit } from './acknowledger/credit.ts';
import { KeyOutcomes } from './acknowledger/key-outcomes.ts';
import type { Authenticator } from './admission/authenticator.ts';
import { ConnectionAdmission } from './admission/connections.ts';
import type { Rate } from './admission/token-bucket.ts';
import { DeadLetters } from './dead-letters/dead-letters.ts';
import { Deliveries } from './dead-letters/deliveries.ts';
import { DryRuns } from './dry-run/dry-run.ts';
import { Explanations } from './explain/explanation.ts';
import type { Faults } from './faults.ts';
import { HttpHandler } from './ingress/http/http-handler.ts';
import type { PageSettings } from './ingress/http/page-response.ts';
import { Slicer } from './ingress/slicer.ts';
import { WebSocketHandler } from './ingress/websocket/websocket-handler.ts';
import { Intake } from './intake/intake.ts';
import type { RejectionListener } from './intake/rejection-listener.ts';
import { InputMemory } from './overload/input-memory.ts';
import type { MemoryLimit } from './overload/memory-limit.ts';
import { TurnBudget } from './overload/turn-budget.ts';
import { Compressor } from './producer/compressor.ts';
import type { DeliveryListener } from './producer/delivery-listener.ts';
import type { Address, CreateLink } from './producer/link.ts';
import { Producer } from './producer/producer.ts';
import type { TopicListener } from './producer/topic-listener.ts';
import { ActiveStreams } from './streams/active-streams.ts';
import {
  createStreams,
  createTopics,
  instanceName,
  type StreamDeclarations,
  type StreamSettings,
  type TopicUsers,
} from './streams/create-streams.ts';
import { ViolationRecorder } from './violation-recorder.ts';

/** Counters and loggers of the stages. */
export interface Reporting {
  readonly counters: Counters;
  readonly log: Logger;
  readonly faults: Faults;
}

/** Connection to Kafka. */
export interface KafkaConnection {
  readonly bootstrap: readonly Address[];
  readonly createLink: CreateLink;
  /** Undefined = batches are not compressed. */
  readonly codec: Codec | undefined;
  readonly topicListener: TopicListener;
}

/** Memory of accepted events, and the topics that hold their batches: the producer's list. */
export interface EventBuffer {
  readonly budget: Budget;
  readonly accumulator: Accumulator;
  readonly topics: Topic[];
}

export type BufferSettings = Pick<
  Config,
  'kafkaTopic' | 'bufferBytes' | 'batchBytes' | 'maxFrameBytes'
>;

/**
 * Creates the buffer that holds accepted events until they are delivered.
 * @param users streams whose topics it holds
 */
export function wireBuffer(
  settings: BufferSettings,
  users: TopicUsers = {
    streams: [{ topic: settings.kafkaTopic, required: true, limits: { bufferShare: 1 } }],
    areDeclared: false,
  },
): EventBuffer {
  const { bufferBytes, batchBytes, maxFrameBytes } = settings;
  const budget = new Budget(bufferBytes);
  const accumulator = new Accumulator({ budget, batchBytes, maxEventBytes: maxFrameBytes });
  return { budget, accumulator, topics: createTopics(users, budget, maxFrameBytes) };
}

export type ProducerSettings = Pick<Config, 'lingerMs' | 'eventTimeoutMs' | 'maxRequestBytes'>;

/**
 * Creates the producer that drains the buffer.
 * @param deliveryListener receives the result of each batch
 */
export function wireProducer(
  { lingerMs, eventTimeoutMs, maxRequestBytes }: ProducerSettings,
  { budget, accumulator, topics }: EventBuffer,
  { counters, log, faults }: Reporting,
  { codec, ...connection }: KafkaConnection,
  deliveryListener: DeliveryListener,
): Producer {
  const compressor = codec && new Compressor(codec, budget, log);
  const bounds = { lingerMs, eventTimeoutMs, maxRequestBytes };
  const stages = { budget, accumulator, compressor, counters, faults, deliveryListener };
  return new Producer({ topics, ...bounds, ...stages, ...connection });
}

export type IntakeSettings = StreamSettings;

/** Stages that accept or reject events, and report the results to their senders. */
export interface IntakeStages {
  readonly acknowledger: Acknowledger;
  readonly intake: Intake;
  readonly streams: ActiveStreams;
  readonly deadLetters: DeadLetters;
  /** Receives the results of all batches. */
  readonly deliveries: DeliveryListener;
  readonly violations: ViolationRecorder;
  readonly keyOutcomes: KeyOutcomes;
}

/**
 * Creates the streams, the intake and the acknowledger.
 * @param observer receives each rejection, too
 */
export function wireIntake(
  settings: IntakeSettings,
  { budget, accumulator, topics }: EventBuffer,
  reporting: Reporting,
  declarations: StreamDeclarations,
  observer?: Rejections,
): IntakeStages {
  const { counters, log } = reporting;
  const violations = new ViolationRecorder(() => counters.slots);
  const rejections = observer === undefined ? violations : bothOf(violations, observer);
  const keyOutcomes = new KeyOutcomes(() => counters.slots);
  const acknowledger = new Acknowledger(
    counters,
    new Credit(budget, settings.maxFrameBytes),
    (batch) => accumulator.release(batch),
    log,
    rejections,
    keyOutcomes,
  );
  const reject: RejectionListener = (...rejection) => acknowledger.reject(...rejection);
  const instance = instanceName(settings);
  const deadLetters = new DeadLetters({ accumulator, budget, topics, counters, instance });
  const observers = { deadLetters, violations: rejections };
  const intake = new Intake(accumulator, counters, reject, observers);
  const table = createStreams(declarations, { budget, topics }, settings, {
    ...reporting,
    violations,
  });
  const streams = new ActiveStreams(table);
  const deliveries = new Deliveries(acknowledger, deadLetters, streams);
  const stages = { acknowledger, intake, streams, deadLetters, deliveries };
  return { ...stages, violations, keyOutcomes };
}

/** Receives each rejected event, or frame with the number of its events. */
export type Rejections = Pick<ViolationRecorder, 'rejected'>;

function bothOf(one: Rejections, other: Rejections): Rejections {
  return {
    rejected: (...rejection) => {
      one.rejected(...rejection);
      other.rejected(...rejection);
    },
  };
}

export type IngressSettings = Pick<
  Config,
  | 'maxFrameBytes'
  | 'maxEventDepth'
  | 'maxInputBytes'
  | 'maxConnectionsPerAddress'
  | 'addressEventsPerSecond'
  | 'addressEventsBurst'
  | 'connectionEventsPerSecond'
  | 'connectionEventsBurst'
  | 'trustedProxies'
  | 'httpTimeoutMs'
  | 'minBodyBytesPerSecond'
  | 'idleTimeoutMs'
  | 'maxConnectionAgeMs'
  | 'drainSpreadMs'
>;

/** Dependencies of ingress that are not stages of the event path. */
export interface IngressParts {
  readonly authenticator: Authenticator;
  readonly memory: Pick<MemoryLimit, 'exceeded'>;
  readonly connections: ConnectionBounds;
  readonly readiness: () => Readiness;
  readonly page: PageSettings;
  /** Time for input per event-loop turn; by default measured with the clocks of the process. */
  readonly turn?: TurnBudget;
  readonly slicer?: Slicer;
  readonly inputMemory?: InputMemory;
}

/** Transports of a worker, and their shared state. */
export interface Ingress {
  readonly http: HttpHandler;
  readonly webSocket: WebSocketHandler;
  readonly admission: ConnectionAdmission;
  readonly turn: TurnBudget;
  readonly inputMemory: InputMemory;
}

/** Creates the transports, without the socket library. */
export function wireIngress(
  settings: IngressSettings,
  { budget }: Pick<EventBuffer, 'budget'>,
  { acknowledger, intake, streams }: IntakeStages,
  { counters, log }: Reporting,
  parts: IngressParts,
): Ingress {
  const { authenticator, memory, connections, readiness, page } = parts;
  const { maxFrameBytes, maxEventDepth, trustedProxies } = settings;
  const { turn = new TurnBudget(), slicer = new Slicer(turn) } = parts;
  const { inputMemory = new InputMemory(settings.maxInputBytes) } = parts;
  const admission = new ConnectionAdmission({
    max: connections.webSockets,
    maxPerAddress: settings.maxConnectionsPerAddress,
    addressRate: rateOf(settings.addressEventsPerSecond, settings.addressEventsBurst),
    trustedProxies,
    memory,
  });
  const stages = { acknowledger, intake, streams, budget, counters, log, authenticator, admission };
  const shared = { ...stages, turn, slicer, inputMemory, maxEventDepth };
  const webSocket = new WebSocketHandler({
    ...shared,
    maxFrameBytes,
    connectionRate: rateOf(settings.connectionEventsPerSecond, settings.connectionEventsBurst),
    idleMs: settings.idleTimeoutMs,
    maxAgeMs: settings.maxConnectionAgeMs,
    spreadMs: settings.drainSpreadMs,
  });
  const http = new HttpHandler({
    ...shared,
    explanations: new Explanations(budget, streams),
    dryRuns: new DryRuns(counters, budget),
    memory,
    maxEventBytes: maxFrameBytes,
    timeoutMs: settings.httpTimeoutMs,
    minBodyBytesPerSecond: settings.minBodyBytesPerSecond,
    readiness,
    page,
  });
  return { http, webSocket, admission, turn, inputMemory };
}

/** Returns undefined for an unlimited rate. */
function rateOf(eventsPerSecond: number, burst: number): Rate | undefined {
  if (eventsPerSecond === 0) return undefined;
  return { eventsPerSecond, burst: burst === 0 ? eventsPerSecond : burst };
}

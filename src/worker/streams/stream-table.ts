import {
  DEFAULT_STREAM,
  type HeaderName,
  REFUSE,
  type Routing,
} from '../../streams/stream-file.ts';
import type { CreditBuffer } from '../acknowledger/credit.ts';
import type { InternalStream } from '../dead-letters/internal-stream.ts';
import { EventField } from '../decoder/event-field.ts';
import { fastValidatorsOf } from '../decoder/kernel/create-fast-validator.ts';
import type { FastValidator } from '../decoder/kernel/fast-validator.ts';
import { planRouting } from '../schema-plan/plan-events.ts';
import {
  FieldRoute,
  type FieldRules,
  RejectingRoute,
  type Route,
  SharesInUse,
  SingleRoute,
} from './route.ts';
import type { Sender, Stream, StreamRejection } from './stream.ts';

/** Streams for dead letters. */
export interface DeadLetterStreams {
  readonly all: ReadonlyMap<string, InternalStream>;
  /** Receives events that belong to no stream; undefined = none does. */
  readonly ofNoStream: InternalStream | undefined;
}

const NO_DEAD_LETTERS: DeadLetterStreams = { all: new Map(), ofNoStream: undefined };

/** Streams of a worker, and the rules that select one for an event: one version of them. */
export class StreamTable {
  /** In the order of the stream file. */
  readonly streams: readonly Stream[];
  readonly routing: Routing;
  /** Streams of previous versions, whose events are still on their way to Kafka. */
  readonly leaving: ReadonlySet<Stream>;
  /** A stream file declares them: clients may name them. */
  readonly areDeclared: boolean;
  /** Names of all headers of their records. */
  readonly headers: ReadonlySet<HeaderName>;
  readonly deadLetters: DeadLetterStreams;
  readonly #budget: CreditBuffer;
  readonly #byName: ReadonlyMap<string, Stream>;
  readonly #routes: ReadonlyMap<Stream, Route>;
  /** Undefined = no field of the event selects its stream. */
  readonly #rules: FieldRules | undefined;
  readonly #validators = new Map<Stream | StreamRejection, FastValidator>();
  #createValidator: ReturnType<typeof fastValidatorsOf> | undefined;
  readonly #routingField: string;

  /**
   * @param areDeclared whether a stream file declares them
   * @param budget that the streams share
   * @param leaving streams that `streams` lacks, and whose names no stream has
   */
  constructor(
    routing: Routing,
    streams: readonly Stream[],
    areDeclared: boolean,
    budget: CreditBuffer,
    deadLetters = NO_DEAD_LETTERS,
    leaving: ReadonlySet<Stream> = new Set(),
  ) {
    this.deadLetters = deadLetters;
    this.#budget = budget;
    this.routing = routing;
    this.streams = streams;
    this.areDeclared = areDeclared;
    this.leaving = leaving;
    this.#routes = new Map(streams.map((stream) => [stream, new SingleRoute(stream)]));
    // A current stream takes the names and values of a former one.
    const all = [...leaving, ...streams];
    this.headers = new Set(all.flatMap(({ spec }) => spec.record.headers));
    this.#byName = new Map(all.map((stream) => [stream.name, stream]));
    this.#routingField = routing.field?.join('.') ?? '';
    if (routing.field === undefined) return;
    const byValue = new Map(
      all.flatMap((stream) => stream.spec.match.map((value) => [value, stream] as const)),
    );
    const unknown = routing.unknown === REFUSE ? undefined : this.#byName.get(routing.unknown);
    const field = new EventField(this.#routingField);
    const matched = new Set(byValue.values());
    if (unknown !== undefined) matched.add(unknown);
    this.#rules = { field, streams: all, byValue, unknown, leaving, matched };
  }

  /** Returns the stream of this name, a current or a leaving one. */
  find(name: string): Stream | undefined {
    return this.#byName.get(name);
  }

  /** Returns the stream with these cells in the metrics, a current or a leaving one. */
  streamAt(cells: number): Stream | undefined {
    for (const stream of this.#byName.values()) if (stream.cells === cells) return stream;
    return undefined;
  }

  /** Returns the same streams with others that leave. */
  withLeaving(leaving: ReadonlySet<Stream>): StreamTable {
    const { routing, streams, areDeclared, deadLetters } = this;
    return new StreamTable(routing, streams, areDeclared, this.#budget, deadLetters, leaving);
  }

  /**
   * Returns the route of a sender's events. The first source that yields a stream wins: the path,
   * the routing field of the event, the sender's own stream, the stream `default`.
   * @param name stream in the path; undefined = none
   * @param inUse buffer of the connection's previous route
   */
  routeOf(name: string | undefined, sender: Sender, inUse?: CreditBuffer): Route {
    if (name !== undefined) {
      const named = this.#byName.get(name);
      return this.#singleRoute(this.#permitted(named, sender), named === undefined, sender);
    }
    const ownOrDefault = this.#fallbackOf(sender);
    const fallback = this.#permitted(ownOrDefault, sender);
    const rules = this.#rules;
    if (rules !== undefined) {
      const buffer = inUse instanceof SharesInUse ? inUse : new SharesInUse(this.#budget);
      const validator = this.#validatorFor(rules, fallback);
      const { ofNoStream } = this.deadLetters;
      const letters = {
        ofNoStream,
        hasFallback: ownOrDefault !== undefined,
        copiesUndecoded: ofNoStream !== undefined && this.#mayWriteToAll(sender),
      };
      return new FieldRoute(rules, fallback, sender, validator, buffer, letters);
    }
    return this.#singleRoute(fallback, ownOrDefault === undefined, sender);
  }

  /** @param isMissing whether there is no such stream, whoever sends */
  #singleRoute(found: Stream | StreamRejection, isMissing: boolean, sender: Sender): Route {
    if (typeof found === 'object') return this.#routes.get(found)!;
    const { ofNoStream } = this.deadLetters;
    const isKept = isMissing && ofNoStream !== undefined && this.#mayWriteToAll(sender);
    return new RejectingRoute(found, isKept ? ofNoStream : undefined);
  }

  /** Whether a replay of any event would give the sender no permission that it lacks. */
  #mayWriteToAll(sender: Sender): boolean {
    return this.streams.every((stream) => stream.rejectionOf(sender) === undefined);
  }

  /**
   * Returns whether a client without credentials may send: to the stream in the path, or to any
   * that events without one may reach.
   * @param name as in {@link routeOf}
   */
  isOpen(name: string | undefined): boolean {
    if (!this.areDeclared) return false;
    if (name !== undefined) return this.#byName.get(name)?.isOpen ?? false;
    const { byValue, unknown } = this.#rules ?? {};
    const reachable = [this.#defaultStream, unknown, ...(byValue?.values() ?? [])];
    return reachable.some((stream) => stream?.isOpen);
  }

  get #defaultStream(): Stream | undefined {
    return this.#byName.get(DEFAULT_STREAM);
  }

  /**
   * Returns the only stream that the sender's key or token lists, else `default`; undefined = there
   * is no such stream. Without a stream file, lists have no effect.
   */
  #fallbackOf({ identity: { streams } }: Sender): Stream | undefined {
    if (streams?.size !== 1 || !this.areDeclared) return this.#defaultStream;
    const [name = ''] = streams;
    return this.#byName.get(name);
  }

  #permitted(stream: Stream | undefined, sender: Sender): Stream | StreamRejection {
    if (stream === undefined) return 'unknown_stream';
    return stream.rejectionOf(sender) ?? (this.leaving.has(stream) ? 'draining' : stream);
  }

  /** Returns the fast validator of all streams, for senders with this fallback. */
  #validatorFor(rules: FieldRules, fallback: Stream | StreamRejection): FastValidator {
    let validator = this.#validators.get(fallback);
    if (validator === undefined) {
      this.#createValidator ??= this.#validatorsOf(rules);
      const absent = typeof fallback === 'object' ? rules.streams.indexOf(fallback) : undefined;
      validator = this.#createValidator(absent);
      this.#validators.set(fallback, validator);
    }
    return validator;
  }

  #validatorsOf({ streams, byValue, unknown }: FieldRules): ReturnType<typeof fastValidatorsOf> {
    return fastValidatorsOf(
      // Those of leaving streams may locate another routing field.
      streams.map((stream) => (this.leaving.has(stream) ? undefined : stream.profile)),
      {
        event: planRouting(this.#routingField),
        values: new Map([...byValue].map(([text, stream]) => [text, streams.indexOf(stream)])),
        unknown: unknown === undefined ? undefined : streams.indexOf(unknown),
      },
    );
  }
}

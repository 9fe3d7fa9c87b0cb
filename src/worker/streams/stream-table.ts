import { DEFAULT_STREAM, REFUSE, type StreamFile } from '../../streams/stream-file.ts';
import type { CreditBuffer } from '../acknowledger/credit.ts';
import { EventField } from '../decoder/event-field.ts';
import { FastValidator } from '../decoder/json/fast-validator.ts';
import {
  FieldRoute,
  type FieldRules,
  RejectingRoute,
  type Route,
  SharesInUse,
  SingleRoute,
} from './route.ts';
import type { Sender, Stream, StreamRejection } from './stream.ts';

/** The streams of a worker, and the rules that select one for an event. */
export class StreamTable {
  readonly streams: readonly Stream[];
  /** A stream file declares them: clients may name them. */
  readonly areDeclared: boolean;
  readonly #budget: CreditBuffer;
  readonly #byName: ReadonlyMap<string, Stream>;
  readonly #routes: ReadonlyMap<Stream, Route>;
  /** Undefined = no field of the event selects its stream. */
  readonly #rules: FieldRules | undefined;
  readonly #validators = new Map<Stream | StreamRejection, FastValidator>();
  readonly #routingField: string;

  /**
   * @param streams created from the streams of `file`, in the same order
   * @param areDeclared whether `file` was read from a stream file
   * @param budget that the streams share
   */
  constructor(
    { routing, streams: specs }: StreamFile,
    streams: readonly Stream[],
    areDeclared: boolean,
    budget: CreditBuffer,
  ) {
    this.#budget = budget;
    this.streams = streams;
    this.areDeclared = areDeclared;
    this.#byName = new Map(streams.map((stream) => [stream.name, stream]));
    this.#routes = new Map(streams.map((stream) => [stream, new SingleRoute(stream)]));
    this.#routingField = routing.field?.join('.') ?? '';
    if (routing.field === undefined) return;
    const byValue = new Map(
      specs.flatMap(({ match }, index) => match.map((value) => [value, streams[index]!] as const)),
    );
    const unknown = routing.unknown === REFUSE ? undefined : this.#byName.get(routing.unknown);
    this.#rules = { field: new EventField(this.#routingField), streams, byValue, unknown };
  }

  /**
   * Returns the route of a sender's events. The first source that yields a stream wins: the path,
   * the routing field of the event, the sender's own stream, the stream `default`.
   * @param name stream in the path; undefined = none
   * @param inUse buffer of the connection's previous route
   */
  routeOf(name: string | undefined, sender: Sender, inUse?: CreditBuffer): Route {
    if (name !== undefined) {
      const found = this.#permitted(this.#byName.get(name), sender);
      return typeof found === 'string' ? new RejectingRoute(found) : this.#routes.get(found)!;
    }
    const fallback = this.#permitted(this.#fallbackOf(sender), sender);
    const rules = this.#rules;
    if (rules !== undefined) {
      const buffer = inUse instanceof SharesInUse ? inUse : new SharesInUse(this.#budget);
      return new FieldRoute(rules, fallback, sender, this.#validatorFor(rules, fallback), buffer);
    }
    return typeof fallback === 'string'
      ? new RejectingRoute(fallback)
      : this.#routes.get(fallback)!;
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
    return stream.rejectionOf(sender) ?? stream;
  }

  /** Returns the fast validator of all streams, for senders with this fallback. */
  #validatorFor(rules: FieldRules, fallback: Stream | StreamRejection): FastValidator {
    let validator = this.#validators.get(fallback);
    if (validator === undefined) {
      const { streams, byValue, unknown } = rules;
      const numberOf = (stream: Stream | StreamRejection | undefined) =>
        typeof stream === 'object' ? streams.indexOf(stream) : undefined;
      validator = new FastValidator(
        streams.map(({ fastProfile }) => fastProfile),
        {
          field: this.#routingField,
          values: new Map([...byValue].map(([text, stream]) => [text, streams.indexOf(stream)])),
          absent: numberOf(fallback),
          unknown: numberOf(unknown),
        },
      );
      this.#validators.set(fallback, validator);
    }
    return validator;
  }
}

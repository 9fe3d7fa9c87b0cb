import type { streamCodes } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import type { StreamSpec } from '../../streams/stream-file.ts';
import type { Topic } from '../accumulator/topic.ts';
import { ANONYMOUS, type Identity } from '../admission/identity.ts';
import { type Buckets, TokenBucket } from '../admission/token-bucket.ts';
import type { InternalStream } from '../dead-letters/internal-stream.ts';
import { createFastValidator } from '../decoder/kernel/create-fast-validator.ts';
import type { FastValidator } from '../decoder/kernel/fast-validator.ts';
import type { Profile } from '../decoder/kernel/plan.ts';
import { RecordKey } from '../decoder/key-field.ts';
import type { Candidate } from '../intake/candidate.ts';
import type { KeylessEvents } from '../intake/keyless-events.ts';
import type { Validator } from '../intake/validator.ts';
import type { Violations } from '../intake/violations.ts';
import type { RecordFormat } from './record-format.ts';

/** Sender of a frame or body, as far as streams depend on it. */
export interface Sender {
  readonly identity: Identity;
  /** Origin of its page; '' = none was sent. */
  readonly origin: string;
  /** It receives no acknowledgments. */
  readonly plain: boolean;
  /** Names of streams that it was permitted before: their existence is no secret. */
  readonly known?: ReadonlySet<string> | undefined;
}

/** Reason why an event has no stream that its sender may write to now. */
export type StreamRejection = (typeof streamCodes)[number] | 'draining';

/** Message of `draining` where a stream ends, not the instance. */
export const REMOVED_STREAM_TEXT = 'the stream is being removed';

/** Parts of a stream that its declaration does not contain. */
export interface StreamParts {
  readonly topic: Topic;
  /** Offset of its cells in the metrics. */
  readonly cells: number;
  /** Validates a parsed event, unless no event is to be validated; {@link candidate} sees it. */
  readonly validate: Validator;
  /** Validates against the schema, whatever its mode. */
  readonly matchesSchema: Validator;
  /** Counts events that violate the schema and are stored; undefined = they are rejected. */
  readonly violations?: Violations | undefined;
  /** Sees events that are not parsed; `validate` offers it all others. Undefined = none. */
  readonly candidate?: Candidate | undefined;
  /** Accepts a subset of what `validate` accepts; undefined = each event is parsed into a value. */
  readonly profile: Profile | undefined;
  /** Headers and timestamps of its records; undefined = plain ones. */
  readonly format?: RecordFormat | undefined;
  readonly keyless: Pick<KeylessEvents, 'count'>;
  /** Receives copies of its rejected events; undefined = none. */
  readonly deadLetter?: InternalStream | undefined;
  /** Maximum bytes of an event of any stream. */
  readonly maxEventBytes: number;
  /** The stream of this name in the previous version, whose rate limit goes on. */
  readonly previous?: Stream | undefined;
}

/** Handling of the events of one stream in a worker. */
export class Stream {
  readonly spec: StreamSpec;
  readonly name: string;
  readonly topic: Topic;
  /** Offset of its cells in the metrics. */
  readonly cells: number;
  /** See {@link StreamParts}, as for the next ones. */
  readonly validate: Validator;
  readonly matchesSchema: Validator;
  readonly violations: Violations | undefined;
  readonly candidate: Candidate | undefined;
  readonly profile: Profile | undefined;
  /** Validates events that are known to belong to this stream; see {@link profile}. */
  readonly fastValidator: FastValidator | undefined;
  readonly key: RecordKey;
  /** See {@link StreamParts}. */
  readonly format: RecordFormat | undefined;
  readonly keyless: Pick<KeylessEvents, 'count'>;
  readonly deadLetter: InternalStream | undefined;
  readonly maxEventBytes: number;
  /** Accepts clients without credentials. */
  readonly isOpen: boolean;
  /** Rate limit of all its events in this worker; undefined = none. */
  readonly buckets: Buckets | undefined;
  readonly #acceptsPlain: boolean;
  readonly #origins: ReadonlySet<string> | undefined;

  constructor(spec: StreamSpec, parts: StreamParts) {
    const { eventBytes = parts.maxEventBytes, eventsPerSecond } = spec.limits;
    this.spec = spec;
    this.name = spec.name;
    this.topic = parts.topic;
    this.cells = parts.cells;
    this.validate = parts.validate;
    this.matchesSchema = parts.matchesSchema;
    this.violations = parts.violations;
    this.candidate = parts.candidate;
    this.profile = parts.profile;
    this.fastValidator = parts.profile && createFastValidator(parts.profile);
    this.key = new RecordKey(spec.key.map((path) => path.join('.')));
    this.format = parts.format;
    this.keyless = parts.keyless;
    this.deadLetter = parts.deadLetter;
    this.maxEventBytes = Math.min(eventBytes, parts.maxEventBytes);
    const { previous } = parts;
    if (previous !== undefined && previous.spec.limits.eventsPerSecond === eventsPerSecond) {
      this.buckets = previous.buckets;
    } else if (eventsPerSecond !== undefined) {
      this.buckets = [new TokenBucket({ eventsPerSecond, burst: eventsPerSecond })];
    }
    this.isOpen = spec.access === 'open';
    this.#acceptsPlain = spec.plain === 'accept';
    this.#origins = spec.origins?.includes('*') ? undefined : spec.origins && new Set(spec.origins);
  }

  /**
   * Returns the reason why `sender` may not write to this stream; undefined = it may. A sender
   * without permission does not learn that the stream exists.
   */
  rejectionOf({ identity, origin, plain, known }: Sender): StreamRejection | undefined {
    if (!this.#permits(identity)) {
      return known?.has(this.name) ? 'forbidden_stream' : 'unknown_stream';
    }
    if (plain && !this.#acceptsPlain) return 'forbidden_stream';
    const isForeign = origin !== '' && this.#origins !== undefined && !this.#origins.has(origin);
    return isForeign ? 'forbidden_stream' : undefined;
  }

  /** Returns why an event violates the schema, unless its mode is off. Counts nothing. */
  problemOf(event: JsonObject): string | undefined {
    return this.spec.schema?.mode === 'off' ? undefined : this.matchesSchema(event);
  }

  #permits(identity: Identity): boolean {
    if (this.isOpen) return true;
    return identity !== ANONYMOUS && (identity.streams?.has(this.name) ?? true);
  }
}

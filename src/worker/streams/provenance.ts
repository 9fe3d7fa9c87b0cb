import type { HeaderName } from '../../streams/stream-file.ts';

/** Facts about a sender by the name of their header. */
export type Facts = Partial<Readonly<Record<HeaderName, string>>>;

/** Headers of one sender, encoded by a stream. */
export interface EncodedFacts {
  /** Its encoder. */
  readonly by: object;
  /** The trace context, then all others. */
  readonly bytes: Buffer;
  /** Bytes and number of the headers of the trace context. */
  readonly traceBytes: number;
  readonly traceHeaders: number;
  /** Number of the other headers. */
  readonly headers: number;
}

/** Facts about a request or connection that the headers of its records state. */
export class Provenance {
  readonly facts: Facts;
  /** Number of its next events that may be repeats. */
  resent: number;
  /** Result for the stream used last. */
  encoded: EncodedFacts | undefined;
  /** Results for all streams, once there are several. */
  #all: WeakMap<object, EncodedFacts> | undefined;

  /** @param resent infinite: all of its events may be repeats */
  constructor(facts: Facts, resent = 0) {
    this.facts = facts;
    this.resent = resent;
  }

  /** Returns the headers that `encoder` has encoded before; undefined = none. */
  encodedBy(encoder: object): EncodedFacts | undefined {
    return this.#all?.get(encoder);
  }

  /** Keeps new headers as {@link encoded}. */
  keep(encoded: EncodedFacts): void {
    if (this.encoded !== undefined) {
      this.#all ??= new WeakMap([[this.encoded.by, this.encoded]]);
      this.#all.set(encoded.by, encoded);
    }
    this.encoded = encoded;
  }

  /** Counts events whose frame is decoded. */
  countEvents(events: number): void {
    this.resent = Math.max(0, this.resent - events);
  }
}

/** Nothing is known, or needed, about a sender. */
export const NO_PROVENANCE = new Provenance({});

import type { FakeCluster } from './cluster.ts';
import type { Fault } from './injections.ts';
import type { Reader, Writer } from './wire.ts';

export type ApiName =
  | 'Produce'
  | 'Fetch'
  | 'ListOffsets'
  | 'Metadata'
  | 'SaslHandshake'
  | 'ApiVersions'
  | 'InitProducerId'
  | 'DescribeConfigs'
  | 'SaslAuthenticate';

/** One supported request, in its advertised versions. */
export interface Api {
  readonly name: ApiName;
  readonly key: number;
  readonly min: number;
  readonly max: number;
  /** From this version on headers have tagged fields. */
  readonly flexibleFrom?: number;
  /** @returns the body of the response */
  answer(call: Call): Answer | Promise<Answer>;
}

/** A response's body. */
export type Answer = Pick<Writer, 'buffer'>;

/** Authentication state of a connection. */
export interface Session {
  /** End of the session, ms of the monotonic clock; -Infinity = not authenticated */
  authenticatedUntilMs: number;
}

/** A request in progress. */
export interface Call {
  readonly cluster: FakeCluster;
  readonly broker: number;
  /** All supported requests. */
  readonly apis: readonly Api[];
  readonly version: number;
  readonly body: Reader;
  readonly session: Session;
  /** Maximum over the faults of this request so far. */
  readonly throttleMs: number;
  /** Consumes the fault injected at this place, if any. */
  meet(batch?: { partition: number; batch: Buffer }): Fault | undefined;
  /** Closes the connection after the response. */
  hangUp(): void;
}

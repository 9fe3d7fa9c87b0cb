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

/** One request that the fake speaks, in the versions that it says it does. */
export interface Api {
  readonly name: ApiName;
  readonly key: number;
  readonly min: number;
  readonly max: number;
  /** From this version on headers have tagged fields. */
  readonly flexibleFrom?: number;
  /** @returns the response's body */
  answer(call: Call): Answer | Promise<Answer>;
}

/** A response's body. */
export type Answer = Pick<Writer, 'buffer'>;

/** What a connection remembers of its login. */
export interface Session {
  /** ms of the monotonic clock; -Infinity = nobody is logged in */
  authenticatedUntilMs: number;
}

/** A request on its way through the fake. */
export interface Call {
  readonly cluster: FakeCluster;
  readonly broker: number;
  /** All that it speaks. */
  readonly apis: readonly Api[];
  readonly version: number;
  readonly body: Reader;
  readonly session: Session;
  /** What the faults taken so far ask for, at the most. */
  readonly throttleMs: number;
  /** Meets what is injected here, if anything is. */
  meet(batch?: { partition: number; batch: Buffer }): Fault | undefined;
  /** The connection ends behind the response. */
  hangUp(): void;
}

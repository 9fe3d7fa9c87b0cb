/** Fixed limits of the schema registry, as in config/limits.ts. */
import { MIB } from '../config/limits.ts';

export const REGISTRY_LIMITS = {
  /** Interval of requests for each schema; after a failure the delay until the next one. Each is
   * varied by `jitter`, a share of it, so that instances that started together do not ask
   * together. */
  pollMs: 30_000,
  retryMs: { first: 2_000, last: 60_000 },
  jitter: 0.2,
  /** Deadline of the requests for one schema and its references, which may delay a start. */
  timeoutMs: 5_000,
  /** Time after which an unusable version is checked again: a check may end for lack of time. */
  recheckMs: 600_000,
  /** Bytes of a response, and of a schema with its references: each worker compiles it. */
  bytes: MIB,
  /** References of a schema, those of references included. */
  references: 64,
  /** Concurrent connections to the registry. */
  connections: 4,
} as const;

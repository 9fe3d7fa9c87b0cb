/** Series of the schema registry; see catalogue.ts. */
import type { Series } from './series.ts';

export const SCHEMA_REGISTRY_SERIES = [
  {
    name: 'forebay_schema_registry_age_seconds',
    type: 'gauge',
    unit: 'seconds',
    help:
      'Time since the schema registry confirmed that the schema of a stream is the requested ' +
      'version.',
    from: 'primary',
    openLabels: ['stream'],
  },
  {
    name: 'forebay_schema_registry_failed_requests_total',
    type: 'counter',
    unit: 'requests',
    help: 'Requests for a schema that the schema registry did not answer as its API describes.',
    from: 'primary',
  },
] as const satisfies readonly Series[];

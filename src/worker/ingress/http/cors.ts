/** What pages of other origins than ours may do: CORS, for `/events` alone. */
import { LIMITS } from '../../../config/limits.ts';
import type { Trust } from '../../admission/origins.ts';

type Headers = Readonly<Record<string, string>>;

/** Who sends no Origin is no browser's page, and need not be told. */
const NONE: Headers = {};
/** Another page may be told something else. */
const FOREIGN: Headers = { Vary: 'Origin' };

/**
 * Lets the page of an allowed origin, '' = none, read an answer and when to come again. Origins
 * that are listed by name may send with credentials: `sendBeacon` always does, and its browser
 * demands this header for a JSON Blob. With `*`, any page could act as the user of a proxy that
 * takes cookies.
 */
export function corsHeaders(origin: string, trust: Trust): Headers {
  if (origin === '') return NONE;
  if (trust === 'none') return FOREIGN;
  return {
    'Access-Control-Allow-Origin': origin,
    ...(trust === 'named' && { 'Access-Control-Allow-Credentials': 'true' }),
    'Access-Control-Expose-Headers': 'Retry-After',
    ...FOREIGN,
  };
}

const REQUEST_HEADERS = 'Authorization, Content-Encoding, Content-Type';

/**
 * Headers that tracing libraries add to each request of a page: W3C Trace Context and Baggage,
 * Sentry, Datadog, Zipkin, New Relic, Jaeger, Elastic, Application Insights, AWS, Google Cloud, and
 * ids of requests. The gateway does not read them; without leave, the browser would send nothing.
 */
const TRACING = new RegExp(
  '^(?:traceparent|tracestate|baggage|sentry-trace|b3|newrelic|uber-trace-id|' +
    'elastic-apm-traceparent|request-id|request-context|x-request-id|x-correlation-id|' +
    'x-amzn-trace-id|x-cloud-trace-context|x-(?:datadog|b3)-[a-z0-9-]{1,64})$',
);

/** The tracing headers among those that a browser asks for; a bounded number, each once. */
function tracingHeaders(requested: string): string[] {
  const names = requested.split(',').map((name) => name.trim().toLowerCase());
  return [...new Set(names.filter((name) => TRACING.test(name)))].slice(0, LIMITS.tracingHeaders);
}

/**
 * Answers a browser's preflight with the methods and headers that are accepted.
 * @param requested the request's Access-Control-Request-Headers
 */
export function preflightHeaders(origin: string, trust: Trust, requested: string): Headers {
  if (origin === '' || trust === 'none') return FOREIGN;
  return {
    'Access-Control-Allow-Origin': origin,
    ...(trust === 'named' && { 'Access-Control-Allow-Credentials': 'true' }),
    'Access-Control-Allow-Methods': 'POST',
    'Access-Control-Allow-Headers': [REQUEST_HEADERS, ...tracingHeaders(requested)].join(', '),
    'Access-Control-Max-Age': String(LIMITS.preflightSeconds),
    ...FOREIGN,
  };
}

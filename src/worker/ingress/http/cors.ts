/** CORS for `/events`: permissions of pages from other origins. */
import { LIMITS } from '../../../config/limits.ts';
import type { Trust } from '../../admission/origins.ts';

type Headers = Readonly<Record<string, string>>;

/** For requests without an Origin, which are not sent by a page. */
const NO_HEADERS: Headers = {};
/** The response differs by origin. */
const VARY_ORIGIN: Headers = { Vary: 'Origin' };

/**
 * Allows the page of a permitted origin ('' = none) to read a response, its Retry-After and its id.
 * Origins listed by name may send with credentials: `sendBeacon` always does, and its browser
 * requires this header for a JSON Blob. With `*`, any page could act as the user of a proxy that
 * accepts cookies.
 */
export function corsHeaders(origin: string, trust: Trust): Headers {
  if (origin === '') return NO_HEADERS;
  if (trust === 'none') return VARY_ORIGIN;
  return {
    'Access-Control-Allow-Origin': origin,
    ...(trust === 'named' && { 'Access-Control-Allow-Credentials': 'true' }),
    'Access-Control-Expose-Headers': 'Retry-After, X-Request-Id',
    ...VARY_ORIGIN,
  };
}

const REQUEST_HEADERS = 'Authorization, Content-Encoding, Content-Type, Forebay-Resent';

/**
 * Headers that tracing libraries add to each request of a page: W3C Trace Context and Baggage,
 * Sentry, Datadog, Zipkin, New Relic, Jaeger, Elastic, Application Insights, AWS, Google Cloud, and
 * request ids. Records can state some; without permission, the browser would not send the request.
 */
const TRACING = new RegExp(
  '^(?:traceparent|tracestate|baggage|sentry-trace|b3|newrelic|uber-trace-id|' +
    'elastic-apm-traceparent|request-id|request-context|x-request-id|x-correlation-id|' +
    'x-amzn-trace-id|x-cloud-trace-context|x-(?:datadog|b3)-[a-z0-9-]{1,64})$',
);

/** Returns the tracing headers among those requested: a bounded number, without duplicates. */
function tracingHeaders(requested: string): string[] {
  const names = requested.split(',').map((name) => name.trim().toLowerCase());
  return [...new Set(names.filter((name) => TRACING.test(name)))].slice(0, LIMITS.tracingHeaders);
}

/**
 * Returns the preflight response headers: permitted methods and headers.
 * @param requested the request's Access-Control-Request-Headers
 */
export function preflightHeaders(origin: string, trust: Trust, requested: string): Headers {
  if (origin === '' || trust === 'none') return VARY_ORIGIN;
  return {
    'Access-Control-Allow-Origin': origin,
    ...(trust === 'named' && { 'Access-Control-Allow-Credentials': 'true' }),
    'Access-Control-Allow-Methods': 'POST',
    'Access-Control-Allow-Headers': [REQUEST_HEADERS, ...tracingHeaders(requested)].join(', '),
    'Access-Control-Max-Age': String(LIMITS.preflightSeconds),
    ...VARY_ORIGIN,
  };
}

/** What pages of other origins than ours may do: CORS, for `/events` alone. */
import { LIMITS } from '../../limits.ts';

type Headers = Readonly<Record<string, string>>;

/** Who sends no Origin is no browser's page, and need not be told. */
const NONE: Headers = {};
/** Another page may be told something else. */
const FOREIGN: Headers = { Vary: 'Origin' };

/** Lets the page of an allowed origin, '' = none, read an answer and when to come again. */
export function corsHeaders(origin: string, isAllowed: boolean): Headers {
  if (origin === '') return NONE;
  if (!isAllowed) return FOREIGN;
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Expose-Headers': 'Retry-After',
    ...FOREIGN,
  };
}

/** Answers a browser's question, before it sends what a form could not, with what is taken. */
export function preflightHeaders(origin: string, isAllowed: boolean): Headers {
  if (origin === '' || !isAllowed) return FOREIGN;
  return {
    'Access-Control-Allow-Origin': origin,
    'Access-Control-Allow-Methods': 'POST',
    'Access-Control-Allow-Headers': 'Authorization, Content-Encoding, Content-Type',
    'Access-Control-Max-Age': String(LIMITS.preflightSeconds),
    ...FOREIGN,
  };
}

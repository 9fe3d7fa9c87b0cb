/**
 * `Expect: 100-continue` (RFC 9110, 10.1.1): a client waits for an interim response before it sends
 * its body. uWebSockets.js sends one itself if the first such header has exactly this spelling,
 * before any handler runs; the JDK and others write `100-Continue`.
 */

import type { HttpRequest, HttpResponse } from '../transport/transport.ts';
import { hasBody } from './framing.ts';

const CONTINUE = '100-continue';

/** Expectation of a request; `unknown` = any other than 100-continue. */
export type Expectation = 'none' | 'continue' | 'unknown';

/** Parses `Expect`: a case-insensitive list, in one header or several. */
export function expectationOf(request: HttpRequest): Expectation {
  const values: string[] = [];
  // Not getHeader: it returns only the first of several, which may be empty.
  request.forEach((name, value) => {
    if (name === 'expect') values.push(value);
  });
  if (values.length === 0) return 'none';
  const members = values.join(',').split(',').map(trimmed).filter(Boolean);
  if (members.some((member) => member !== CONTINUE)) return 'unknown';
  return members.length > 0 ? 'continue' : 'none';
}

function trimmed(member: string): string {
  return member.trim().toLowerCase();
}

/** Responses whose status call was used for the interim response. */
const CONTINUED = new WeakSet<object>();

/** Sends the interim response, unless uWebSockets.js did or there is no body. */
export function continueRequest(response: HttpResponse, request: HttpRequest): void {
  if (request.getHeader('expect') === CONTINUE || !hasBody(request)) return;
  // The line feed ends an interim response without headers.
  response.cork(() => response.writeStatus('100 Continue\r\n'));
  CONTINUED.add(response);
}

/**
 * Writes the status of a final response, and its first header. uWebSockets.js accepts one status
 * per response: after an interim response, the status is written in front of that header's name.
 */
export function writeStatus(
  response: HttpResponse,
  status: string,
  [name, value]: readonly [name: string, value: string],
): void {
  if (CONTINUED.has(response)) response.writeHeader(`HTTP/1.1 ${status}\r\n${name}`, value);
  else response.writeStatus(status).writeHeader(name, value);
}

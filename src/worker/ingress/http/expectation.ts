/**
 * `Expect: 100-continue` (RFC 9110, 10.1.1): a client waits for an interim response before it sends
 * its body. uWebSockets.js gives one by itself for these exact letters in the first such header,
 * before any handler runs; the JDK and others write `100-Continue`.
 */

import type { HttpRequest, HttpResponse } from '../uws.ts';
import { hasBody } from './framing.ts';

const CONTINUE = '100-continue';

/** Expectation of a request; `unknown`: anything but 100-continue. */
export type Expectation = 'none' | 'continue' | 'unknown';

/** Reads `Expect`: a list, in one header or several, in any letter case. */
export function expectationOf(request: HttpRequest): Expectation {
  const values: string[] = [];
  // Not getHeader: it returns the first of several only, which may be empty.
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

/** Responses whose interim response went out as their status. */
const CONTINUED = new WeakSet<object>();

/** Lets the client send its body, unless uWebSockets.js has done so or there is none. */
export function continueRequest(response: HttpResponse, request: HttpRequest): void {
  if (request.getHeader('expect') === CONTINUE || !hasBody(request)) return;
  // The line feed is the end of an interim response without headers.
  response.cork(() => response.writeStatus('100 Continue\r\n'));
  CONTINUED.add(response);
}

/**
 * Writes the status of a final response, and its first header. uWebSockets.js takes one status for
 * each response: behind an interim response the status goes out in front of that header's name.
 */
export function writeStatus(
  response: HttpResponse,
  status: string,
  [name, value]: readonly [name: string, value: string],
): void {
  if (CONTINUED.has(response)) response.writeHeader(`HTTP/1.1 ${status}\r\n${name}`, value);
  else response.writeStatus(status).writeHeader(name, value);
}

import type { HttpRequest } from './uws.ts';

/**
 * Whether a request has several Content-Length headers: uWebSockets.js reads by the first of them,
 * a proxy before it perhaps by another, and what is between would be a request that nobody sent.
 */
export function hasSeveralLengths(request: HttpRequest): boolean {
  if (request.getHeader('content-length') === '') return false;
  let lengths = 0;
  request.forEach((name) => {
    if (name === 'content-length') lengths++;
  });
  return lengths > 1;
}

/** Whether a request has a body, which may not have come yet. */
export function hasBody(request: HttpRequest): boolean {
  const length = request.getHeader('content-length');
  return (length !== '' && length !== '0') || request.getHeader('transfer-encoding') !== '';
}

/**
 * Request framing. A proxy and this worker must agree on where a request ends; otherwise bytes
 * smuggled in a body are read as the next client's request, and responses reach the wrong clients.
 * uWebSockets.js uses the first of several Content-Lengths and treats any Transfer-Encoding as
 * chunked: ambiguous framing is rejected here, before the request is processed, and the connection
 * is closed.
 */
import type { HttpRequest, HttpResponse } from '../transport/transport.ts';

/** 15 digits hold any length that can arrive, and are exact as a number. */
const LENGTH = /^\d{1,15}$/;
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** Returns the fault in a request's framing, or an ambiguous mark; undefined = none. */
export function framingFault(request: HttpRequest): string | undefined {
  let lengths = 0;
  let length = '';
  let encodings = 0;
  let encoding = '';
  let marks = 0;
  // Not getHeader: it returns only the first, and '' for both an empty header and none.
  request.forEach((name, value) => {
    if (name === 'content-length') {
      lengths++;
      length = value;
    } else if (name === 'transfer-encoding') {
      encodings++;
      encoding = value;
    } else if (name === 'forebay-resent') marks++;
  });
  // Readers of the first one might take a repeat for an original.
  if (marks > 1) return 'Forebay-Resent is given more than once';
  if (lengths + encodings === 0) return undefined;
  if (lengths + encodings > 1) return 'the length of the body is given more than once';
  if (lengths === 1) return LENGTH.test(length) ? undefined : 'Content-Length must be a number';
  if (encoding.toLowerCase() !== 'chunked') return 'Transfer-Encoding must be chunked';
  return request.getCaseSensitiveMethod() === 'POST'
    ? undefined
    : 'only POST may have a chunked body';
}

/** Returns whether a request has a body, which may not have arrived yet. */
export function hasBody(request: HttpRequest): boolean {
  const length = request.getHeader('content-length');
  return (length !== '' && length !== '0') || request.getHeader('transfer-encoding') !== '';
}

/** Returns the fault in a handshake, except in its version; undefined = none. */
export function handshakeFault(request: HttpRequest): string | undefined {
  let keys = 0;
  let versions = 0;
  let upgrade = false;
  let connection = false;
  let body = false;
  request.forEach((name, value) => {
    if (name === 'sec-websocket-key') keys++;
    else if (name === 'sec-websocket-version') versions++;
    else if (name === 'upgrade') upgrade ||= hasToken(value, 'websocket');
    else if (name === 'connection') connection ||= hasToken(value, 'upgrade');
    else if (name === 'content-length') body ||= value !== '0';
    else if (name === 'transfer-encoding') body = true;
  });
  // A 101 requires both: otherwise a proxy in between continues with HTTP.
  if (!upgrade) return 'Upgrade must be websocket';
  if (!connection) return 'Connection must name Upgrade';
  if (keys !== 1 || !KEY.test(request.getHeader('sec-websocket-key'))) {
    return 'Sec-WebSocket-Key must be 16 bytes in Base64';
  }
  if (versions > 1) return 'Sec-WebSocket-Version is given more than once';
  return body ? 'a handshake must not have a body' : undefined;
}

function hasToken(list: string, token: string): boolean {
  return list.split(',').some((name) => name.trim().toLowerCase() === token);
}

/** Responses to chunked requests, and objects read in their place. */
const CHUNKED = new WeakSet<object>();

/**
 * Closes the connection after the response to a chunked request: uWebSockets.js parses a chunk
 * extension as digits of the chunk size and does not check the end of a chunk, so that the bytes
 * after it may not be a request.
 */
export function markChunked(response: HttpResponse, request: HttpRequest): void {
  if (request.getHeader('transfer-encoding') !== '') CHUNKED.add(response);
}

/** Responses to requests with `Connection: close`. */
const CLOSED_ON_REQUEST = new WeakSet<object>();

/** Records whether the client asks to close the connection after this response. */
export function markClosing(response: HttpResponse, request: HttpRequest): void {
  const value = request.getHeader('connection');
  if (value === '') return;
  // uWebSockets.js treats any five letters as `close`.
  if (value.length === 'close'.length || hasToken(value, 'close')) CLOSED_ON_REQUEST.add(response);
}

/** Returns whether the client has asked to close the connection after this response. */
export function asksToClose(response: object): boolean {
  return CLOSED_ON_REQUEST.has(response);
}

/** Returns whether the connection is closed after this response, or the one inherited from. */
export function endsConnection(response: object): boolean {
  return CHUNKED.has(response);
}

/** Applies {@link endsConnection} of `response` to `other`, which is read in its place. */
export function inheritClosing(other: object, response: HttpResponse): void {
  if (CHUNKED.has(response)) CHUNKED.add(other);
}

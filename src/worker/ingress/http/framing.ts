/**
 * Where a request ends. A proxy and this worker must read the same bytes as the same requests, or
 * what a stranger hides in a body is taken for the next client's request, and answers go to the
 * wrong ones. uWebSockets.js takes the first of several Content-Lengths and calls any
 * Transfer-Encoding chunked: what leaves room for two readings is refused here, before it is acted
 * upon, and its connection ends.
 */
import type { HttpRequest, HttpResponse } from '../uws.ts';

/** So many digits hold any length that can arrive, and are exact as a number. */
const LENGTH = /^\d{1,15}$/;
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** @returns what is wrong with how the request says its length; undefined = nothing */
export function framingFault(request: HttpRequest): string | undefined {
  let lengths = 0;
  let length = '';
  let encodings = 0;
  let encoding = '';
  // Not getHeader: it tells of the first only, and not an empty one from none.
  request.forEach((name, value) => {
    if (name === 'content-length') {
      lengths++;
      length = value;
    } else if (name === 'transfer-encoding') {
      encodings++;
      encoding = value;
    }
  });
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

/** @returns what is wrong with a handshake besides its version; undefined = nothing */
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
  // Who has not asked for both must not be answered 101: a proxy goes on speaking HTTP.
  if (!upgrade) return 'Upgrade must be websocket';
  if (!connection) return 'Connection must name Upgrade';
  if (keys !== 1 || !KEY.test(request.getHeader('sec-websocket-key'))) {
    return 'Sec-WebSocket-Key must be 16 bytes in Base64';
  }
  if (versions > 1) return 'Sec-WebSocket-Version is given more than once';
  return body ? 'a handshake has no body' : undefined;
}

function hasToken(list: string, token: string): boolean {
  return list.split(',').some((name) => name.trim().toLowerCase() === token);
}

/** Responses with which their connection ends, and what stands for them. */
const CHUNKED = new WeakSet<object>();

/**
 * Has the answer of a chunked request end its connection: uWebSockets.js reads the extension of a
 * chunk as digits of its size and does not look at what ends a chunk, so that what is behind may
 * be no request.
 */
export function markChunked(response: HttpResponse, request: HttpRequest): void {
  if (request.getHeader('transfer-encoding') !== '') CHUNKED.add(response);
}

/** Responses to requests that ask for the end of their connection. */
const CLOSED_ON_REQUEST = new WeakSet<object>();

/** Notes whether the client asks to end the connection after this response. */
export function markClosing(response: HttpResponse, request: HttpRequest): void {
  const value = request.getHeader('connection');
  if (value === '') return;
  // uWebSockets.js takes any five letters for `close`.
  if (value.length === 'close'.length || hasToken(value, 'close')) CLOSED_ON_REQUEST.add(response);
}

/** Returns whether the client has asked to end the connection after this response. */
export function asksToClose(response: object): boolean {
  return CLOSED_ON_REQUEST.has(response);
}

/** Returns whether the connection ends with this response, or the one it {@link inheritClosing}. */
export function endsConnection(response: object): boolean {
  return CHUNKED.has(response);
}

/** `other` is read in the place of `response`. */
export function inheritClosing(other: object, response: HttpResponse): void {
  if (CHUNKED.has(response)) CHUNKED.add(other);
}

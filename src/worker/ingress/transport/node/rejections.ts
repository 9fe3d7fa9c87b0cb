/** Requests that never reach ingress: what the parser rejects, and heads beyond the limits. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { LIMITS } from '../../../../config/limits.ts';
import type { NodeRequest } from './http-request.ts';

/** Headers of one request; uWebSockets.js has the same limit. */
const HEADERS_MAX = 98;

/** A status and a text for the client. */
export type Rejection = readonly [status: string, text: string];

export const REJECTIONS = {
  headers: [
    '431 Request Header Fields Too Large',
    `a request may have up to ${HEADERS_MAX} headers, in a head of up to 16 KiB`,
  ],
  version: ['505 HTTP Version Not Supported', 'HTTP/1.1 and a path are required'],
  host: ['400 Bad Request', 'exactly one Host is required'],
} as const satisfies Record<string, Rejection>;

/** Returns the rejection of a request that the parser accepts; undefined = none. */
export function faultOf(
  { method = '', url = '', httpVersion, rawHeaders }: IncomingMessage,
  request: NodeRequest,
): Rejection | undefined {
  if (rawHeaders.length > 2 * HEADERS_MAX) return REJECTIONS.headers;
  // The parser counts names and values only.
  const separators =
    ' '.length + ' HTTP/1.1\r\n\r\n'.length + ': \r\n'.length * (rawHeaders.length / 2);
  const bytes = rawHeaders.reduce((sum, text) => sum + text.length, method.length + url.length);
  if (bytes + separators > LIMITS.headersBytes) return REJECTIONS.headers;
  const isKnown = httpVersion === '1.1' || httpVersion === '1.0';
  if (!isKnown || !url.startsWith('/')) return REJECTIONS.version;
  let hosts = 0;
  request.forEach((name) => {
    if (name === 'host') hosts++;
  });
  const isAmbiguous = hosts > 1 || (hosts === 0 && httpVersion === '1.1');
  return isAmbiguous ? REJECTIONS.host : undefined;
}

/** Returns the response to an error of the parser; undefined for any other error. */
export function parserRejection({
  code = '',
  message,
}: NodeJS.ErrnoException): Rejection | undefined {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return REJECTIONS.headers;
    case 'HPE_INVALID_VERSION':
    case 'HPE_PAUSED_H2_UPGRADE':
      return REJECTIONS.version;
    // The connection ended within a request.
    case 'HPE_INVALID_EOF_STATE':
      return undefined;
  }
  if (!code.startsWith('HPE_')) return undefined;
  return ['400 Bad Request', message.replace(/^Parse Error: /, 'invalid request: ')];
}

export function rejectionBody(message: string): string {
  return `${JSON.stringify({ error: { code: 'bad_request', message } })}\n`;
}

/** Writes a response without node:http, which has no response for what it did not parse. */
export function writeRejection(socket: Duplex, [status, message]: Rejection): void {
  const body = rejectionBody(message);
  const headers = [
    'Connection: close',
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.write(`HTTP/1.1 ${status}\r\n${headers.join('\r\n')}\r\n\r\n${body}`);
}

import type { IncomingMessage } from 'node:http';
import { NodeRequest } from '../../src/worker/ingress/transport/node/http-request.ts';

export type Lines = readonly (readonly [name: string, value: string])[];

/** A POST with these headers, in order and with repeated ones. */
export function requestOf(headers: Lines, url = '/events'): NodeRequest {
  const rawHeaders = headers.flat();
  return new NodeRequest({ method: 'POST', url, rawHeaders } as unknown as IncomingMessage);
}

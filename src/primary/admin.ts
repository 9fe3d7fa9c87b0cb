/** The operators' side: /metrics, /livez and /readyz on a port of their own. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { REQUEST_CODES, type RequestCode } from '../errors.ts';
import type { Readiness } from '../messages.ts';
import { type Endpoint, listenOn } from './ports.ts';

export interface AdminSources {
  /** The text of /metrics; never waits for a worker. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  readiness(): Readiness;
  /** A request could not be answered. */
  failed(error: Error): void;
}

const TIMEOUT_MS = 10_000;
const JSON_TYPE = 'application/json';

export class Admin {
  readonly #server: Server;
  readonly #sources: AdminSources;

  constructor(sources: AdminSources) {
    this.#sources = sources;
    const bounds = { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS };
    this.#server = createServer(bounds, (request, response) => {
      this.#answer(request, response).catch((error) => {
        sources.failed(error);
        reply(request, response, 500, JSON_TYPE, '{}');
      });
    });
  }

  /** @throws StartError (exit code 1) when the port cannot be had */
  async listen(endpoint: Endpoint): Promise<void> {
    await listenOn(this.#server, endpoint);
  }

  /** Ends at once, open connections too. */
  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0];
    if (path !== '/metrics' && path !== '/livez' && path !== '/readyz') {
      return refuse(request, response, 'not_found');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return refuse(request, response, 'method_not_allowed');
    }
    if (path === '/livez') return reply(request, response, 200, JSON_TYPE, '{"alive":true}');
    if (path === '/readyz') {
      const readiness = this.#sources.readiness();
      const status = readiness.ready ? 200 : 503;
      return reply(request, response, status, JSON_TYPE, JSON.stringify(readiness));
    }
    const { contentType, text } = await this.#sources.metrics();
    reply(request, response, 200, contentType, text);
  }
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  code: RequestCode & ('not_found' | 'method_not_allowed'),
): void {
  const { http, text } = REQUEST_CODES[code];
  const body = JSON.stringify({ error: { code, message: text } });
  reply(request, response, http, JSON_TYPE, body);
}

function reply(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  contentType: string,
  text: string,
): void {
  const body = Buffer.from(text);
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': body.length,
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/** The operators' side: /metrics, /livez, /readyz and commands on a port of their own. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { EVENT_CODES, REQUEST_CODES, type RequestCode } from '../errors.ts';
import type { Readiness } from '../messages.ts';
import { refuseCommand } from './commands.ts';
import { type Endpoint, listenOn } from './ports.ts';

export interface AdminSources {
  /** Where it listens. */
  readonly host: string;
  /** What commands must bring; undefined = none is set. */
  readonly token: string | undefined;
  /** The text of /metrics; never waits for a worker. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  readiness(): Readiness;
  /** POST /drain: the instance stops. */
  drain(): void;
  /** POST /workers/restart */
  restartWorkers(): 'begun' | 'queued' | 'draining';
  /** A request could not be answered. */
  failed(error: Error): void;
}

const TIMEOUT_MS = 10_000;

export class Admin {
  readonly #server: Server;
  readonly #sources: AdminSources;

  constructor(sources: AdminSources) {
    this.#sources = sources;
    const bounds = { headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS };
    this.#server = createServer(bounds, (request, response) => {
      this.#answer(request, response).catch((error) => {
        sources.failed(error);
        replyJson(request, response, 500, {});
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
    switch (path) {
      case '/drain':
      case '/workers/restart':
        return this.#command(path, request, response);
      case '/metrics':
      case '/livez':
      case '/readyz':
        break;
      default:
        return refuse(request, response, 'not_found');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return refuse(request, response, 'method_not_allowed');
    }
    if (path === '/livez') return replyJson(request, response, 200, { alive: true });
    if (path === '/readyz') {
      const readiness = this.#sources.readiness();
      return replyJson(request, response, readiness.ready ? 200 : 503, readiness);
    }
    const { contentType, text } = await this.#sources.metrics();
    reply(request, response, 200, contentType, text);
  }

  #command(
    path: '/drain' | '/workers/restart',
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (request.method !== 'POST') {
      response.setHeader('Allow', 'POST');
      return refuse(request, response, 'method_not_allowed');
    }
    const { host, token } = this.#sources;
    const refusal = refuseCommand(request.headers, host, token);
    if (refusal !== undefined) {
      if (refusal.code === 'unauthorized') response.setHeader('WWW-Authenticate', 'Bearer');
      return refuse(request, response, refusal.code, refusal.message);
    }
    if (path === '/drain') {
      this.#sources.drain();
      return replyJson(request, response, 202, { drain: 'begun' });
    }
    const restart = this.#sources.restartWorkers();
    if (restart !== 'draining') return replyJson(request, response, 202, { restart });
    const error = { code: 'draining', message: EVENT_CODES.draining.text };
    replyJson(request, response, 503, { error });
  }
}

type Refused = 'not_found' | 'method_not_allowed' | 'unauthorized' | 'forbidden_origin';

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  code: RequestCode & Refused,
  message: string = REQUEST_CODES[code].text,
): void {
  replyJson(request, response, REQUEST_CODES[code].http, { error: { code, message } });
}

/** Ends the line, so that a prompt behind curl's output stands on its own. */
function replyJson(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  value: object,
): void {
  reply(request, response, status, 'application/json', `${JSON.stringify(value)}\n`);
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

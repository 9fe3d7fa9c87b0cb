/** The admin port: metrics, streams, violations, health, commands, live view and live tail. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { EVENT_CODES } from '../common/errors.ts';
import type { Readiness } from '../ipc.ts';
import { PAGE_HEADERS } from '../page/static-files.ts';
import type { StreamsDescription } from '../streams/description.ts';
import { parseFilter } from '../tail/filter.ts';
import { TAIL_LIMITS } from '../tail/limits.ts';
import { type Refusal, refuseCommand, refuseTail, refuseViewer } from './commands.ts';
import { type AdminNames, isAdminName } from './host-rule.ts';
import type { LiveView } from './live-view/live-view.ts';
import { type Endpoint, listenOn } from './ports.ts';
import {
  isRead,
  refuse,
  refuseAs,
  refuseLater,
  refuseMethod,
  reply,
  replyJson,
} from './replies.ts';
import type { TailViewers } from './tail/tail-viewers.ts';
import type { StreamViolations } from './violations.ts';

/**
 * Paths of this port that only some instances have: answers a request, or returns undefined for a
 * path that is not one of them.
 * @param refusal rejection of this request if the path is for commands only
 */
export type AdminRoutes = (
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Refusal | undefined,
) => Promise<void> | undefined;

export interface AdminSources extends AdminNames {
  /** Token that commands require; undefined = none is set. */
  readonly token: string | undefined;
  /** Text of /metrics; never waits for a worker. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  /** Content of /streams; undefined without a stream file. */
  streams(): StreamsDescription | undefined;
  /** Content of /violations. */
  violations(): readonly StreamViolations[];
  readiness(): Readiness;
  /** Version of Forebay: /readyz shows it on this port, but not on the clients' port. */
  readonly version: string;
  readonly transport: string;
  readonly liveView: Pick<LiveView, 'watch'>;
  readonly routes?: AdminRoutes | undefined;
  readonly tail: Pick<TailViewers, 'watch' | 'streams'>;
  /** FOREBAY_TAIL */
  readonly tailAccess: '0' | '1' | 'open';
  /** POST /drain: the instance stops. */
  drain(): void;
  /** POST /workers/restart */
  restartWorkers(): 'begun' | 'queued' | 'draining';
  /** A request failed with an internal error. */
  failed(error: Error): void;
}

const NO_STREAM_FILE = 'no stream file: FOREBAY_STREAMS_FILE is not set';
const FOREIGN_NAME = 'this host name is not accepted: add it to FOREBAY_ADMIN_HOSTS';
const TIMEOUT_MS = 10_000;
/** Path of the live view's data, as Server-Sent Events. */
const LIVE = '/live';
/** Data and page of the live tail. */
const TAIL = '/tail';
const TAIL_PAGE = '/events';
const NO_TAIL = 'the live tail is off: set FOREBAY_TAIL';

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

  /** @throws StartError (exit code 1) if the port is unavailable */
  async listen(endpoint: Endpoint): Promise<void> {
    await listenOn(this.#server, endpoint);
  }

  /** Closes the server, including open connections. */
  async close(): Promise<void> {
    await new Promise((resolve) => {
      this.#server.close(resolve);
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isAdminName(request.headers.host, this.#sources)) {
      return refuse(request, response, 'forbidden_origin', FOREIGN_NAME);
    }
    const path = request.url?.split('?', 1)[0];
    const { routes, host, token } = this.#sources;
    const refusal = routes && refuseCommand(request.headers, host, token);
    const answered = routes?.(path ?? '', request, response, refusal);
    if (answered !== undefined) return answered;
    switch (path) {
      case '/drain':
      case '/workers/restart':
        return this.#command(path, request, response);
      case '/metrics':
      case '/streams':
      case '/violations':
      case '/livez':
      case '/readyz':
        break;
      case LIVE:
        return this.#live(request, response);
      case TAIL:
        return this.#tail(request, response);
      case TAIL_PAGE:
        if (this.#sources.tailAccess === '0')
          return refuse(request, response, 'not_found', NO_TAIL);
        return viewPage(path, request, response);
      default:
        return viewPage(path, request, response);
    }
    if (!isRead(request)) return refuseMethod(request, response, 'GET, HEAD');
    if (path === '/livez') return replyJson(request, response, 200, { alive: true });
    if (path === '/readyz') {
      const { ready, reasons } = this.#sources.readiness();
      const { version, transport } = this.#sources;
      const content = { ready, reasons, version, transport };
      return replyJson(request, response, ready ? 200 : 503, content);
    }
    if (path === '/streams') {
      const streams = this.#sources.streams();
      if (streams === undefined) return refuse(request, response, 'not_found', NO_STREAM_FILE);
      return replyJson(request, response, 200, streams);
    }
    if (path === '/violations') {
      return replyJson(request, response, 200, { streams: this.#sources.violations() });
    }
    const { contentType, text } = await this.#sources.metrics();
    reply(request, response, 200, contentType, text);
  }

  #live(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET') return refuseMethod(request, response, 'GET');
    const { liveView } = this.#sources;
    const refusal = refuseViewer(request.headers);
    if (refusal !== undefined) return refuse(request, response, refusal.code, refusal.message);
    if (!liveView.watch(response)) refuseLater(request, response);
  }

  #tail(request: IncomingMessage, response: ServerResponse): void {
    const { tail, tailAccess, token } = this.#sources;
    if (tailAccess === '0') return refuse(request, response, 'not_found', NO_TAIL);
    if (request.method !== 'GET') return refuseMethod(request, response, 'GET');
    const refusal = refuseTail(request.headers, token, tailAccess === 'open');
    if (refusal !== undefined) return refuseAs(request, response, refusal);
    const [, query = ''] = request.url?.split(/\?(.*)/s, 2) ?? [];
    const filter = parseFilter(query, tail.streams);
    if (typeof filter === 'string') return refuse(request, response, 'bad_request', filter);
    const { remoteAddress } = request.socket;
    if (tail.watch(response, filter, remoteAddress)) return;
    const { viewers } = TAIL_LIMITS;
    refuseLater(request, response, `the live tail has ${viewers} viewers, which is the limit`);
  }

  #command(
    path: '/drain' | '/workers/restart',
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (request.method !== 'POST') return refuseMethod(request, response, 'POST');
    const { host, token } = this.#sources;
    const refusal = refuseCommand(request.headers, host, token);
    if (refusal !== undefined) return refuseAs(request, response, refusal);
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

/** Serves the files of the live view and the live tail; 404 for anything else. */
async function viewPage(
  path: string | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { viewFile } = await import('./live-view/view-files.ts');
  const { tailFile } = await import('./tail/tail-files.ts');
  const file = viewFile(path ?? '') ?? tailFile(path ?? '');
  if (file === undefined) return refuse(request, response, 'not_found');
  if (!isRead(request)) return refuseMethod(request, response, 'GET, HEAD');
  for (const [name, value] of PAGE_HEADERS) response.setHeader(name, value);
  reply(request, response, 200, file.type, file.body);
}

/** Schema registry for tests: the read-only part of Confluent's REST API, over HTTP. */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

export interface Registration {
  /** Content, or its text. */
  readonly schema: unknown;
  /** Undefined = AVRO, which responses do not name. */
  readonly schemaType?: string | undefined;
  readonly references?: readonly unknown[];
  /** Of the schema; by default the next one. */
  readonly id?: number;
  /** Undefined = the registry has none. */
  readonly guid?: string | undefined;
}

/** Kind of the responses. */
export type RegistryState =
  | 'good'
  /** It does not respond until the state changes. */
  | 'silent'
  /** 500 of a proxy, as HTML. */
  | 'broken'
  | 'redirecting'
  /** 200 with a text that is no JSON. */
  | 'not JSON'
  /** 200 with JSON that is no schema. */
  | 'wrong JSON'
  | 'endless';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

export class TestRegistry {
  state: RegistryState = 'good';
  /** Value of `Authorization` that is required. */
  authorization: string | undefined;
  /** Whether responses have validators. */
  hasEtags = false;
  /** Path before the API. */
  prefix = '';
  /** Method and path of each request. */
  readonly requests: string[] = [];
  readonly #subjects = new Map<string, Registration[]>();
  readonly #server: Server;
  readonly #scheme: string;

  constructor(tls?: TlsFiles) {
    const listener: RequestListener = (request, response) => this.#answer(request, response);
    this.#scheme = tls === undefined ? 'http' : 'https';
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  }

  /** @param port of an earlier registry; 0 = any */
  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#scheme}://127.0.0.1:${this.port}${this.prefix}`;
  }

  /** Registers the next version of a subject. @returns its version and id */
  register(subject: string, registration: Registration): { version: number; id: number } {
    const versions = this.#subjects.get(subject) ?? [];
    const all = [...this.#subjects.values()].flat();
    const { id = 1 + Math.max(0, ...all.map((one) => one.id ?? 0)) } = registration;
    versions.push({ ...registration, id });
    this.#subjects.set(subject, versions);
    return { version: versions.length, id };
  }

  /** Registers a JSON Schema. */
  registerJson(subject: string, schema: unknown, more: Partial<Registration> = {}) {
    return this.register(subject, { schema, schemaType: 'JSON', ...more });
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url = '', method, headers } = request;
    this.requests.push(`${method} ${url}`);
    switch (this.state) {
      case 'silent':
        return;
      case 'broken':
        response.writeHead(500, { 'Content-Type': 'text/html' }).end('<h1>no</h1>');
        return;
      case 'redirecting':
        response.writeHead(302, { Location: 'http://127.0.0.1:9/secret?token=t' }).end();
        return;
      case 'not JSON':
        response.end('{"subject":');
        return;
      case 'wrong JSON':
        response.end('{"version":1,"id":"one","schemaType":"JSON","schema":"{}"}');
        return;
      case 'endless':
        response.write('{"schema":"');
        this.#pour(response);
        return;
    }
    if (this.authorization !== undefined && headers.authorization !== this.authorization) {
      return fail(response, 401, 401, 'Unauthorized');
    }
    if (!url.startsWith(`${this.prefix}/`)) return fail(response, 404, 404, 'HTTP 404 Not Found');
    this.#route(url.slice(this.prefix.length), headers, response);
  }

  #pour(response: ServerResponse): void {
    const chunk = 'x'.repeat(65_536);
    while (!response.destroyed && response.write(chunk)) {}
    if (!response.destroyed) response.once('drain', () => this.#pour(response));
  }

  #route(path: string, headers: IncomingMessage['headers'], response: ServerResponse): void {
    const [pathname = ''] = path.split('?');
    const parts = pathname.split('/').slice(1).map(decodeURIComponent);
    const [collection, name = '', , which = ''] = parts;
    // /schemas/ids/7, and /subjects/NAME/versions/7
    if (collection === 'schemas') return this.#schemaById(Number(parts[2]), response);
    const versions = this.#subjects.get(name);
    if (versions === undefined) {
      return fail(response, 404, 40401, `Subject '${name}' not found.`);
    }
    const version = which === 'latest' ? versions.length : Number(which);
    const found = versions[version - 1];
    if (found === undefined) return fail(response, 404, 40402, `Version ${which} not found.`);
    const content = { subject: name, version, ...contentOf(found), id: found.id, guid: found.guid };
    const etag = `"${name}-${version}"`;
    if (this.hasEtags) response.setHeader('ETag', etag);
    if (this.hasEtags && headers['if-none-match'] === etag) response.writeHead(304).end();
    else send(response, 200, content);
  }

  #schemaById(id: number, response: ServerResponse): void {
    const found = [...this.#subjects.values()].flat().find((one) => one.id === id);
    if (found === undefined) fail(response, 404, 40403, 'Schema not found');
    else send(response, 200, contentOf(found));
  }
}

function contentOf({ schema, schemaType, references }: Registration) {
  const text = typeof schema === 'string' ? schema : JSON.stringify(schema);
  return { schema: text, schemaType, references };
}

function fail(response: ServerResponse, status: number, code: number, message: string): void {
  send(response, status, { error_code: code, message });
}

function send(response: ServerResponse, status: number, content: unknown): void {
  const type = 'application/vnd.schemaregistry.v1+json';
  response.writeHead(status, { 'Content-Type': type }).end(JSON.stringify(content));
}

/** POST requests to `/events`, also with a test's own certificate authority. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { Trust } from './socket.ts';

/** Credentials of clients. */
export interface Access extends Trust {
  /** Headers of handshakes and requests. */
  readonly headers?: Record<string, string>;
}

export interface Posted {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: unknown;
}

export class Poster {
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #agent: Agent | undefined;

  /**
   * @param url `http://127.0.0.1:9000`
   * @param stream name of the stream in the path; undefined = none
   */
  constructor(url: string, { headers = {}, ca }: Access = {}, stream?: string) {
    this.#url = stream === undefined ? `${url}/events` : `${url}/events/${stream}`;
    this.#headers = { 'Content-Type': 'application/json', ...headers };
    // fetch has no option for a CA.
    this.#agent = ca && new Agent({ ca, keepAlive: true });
  }

  /**
   * @param body JSON
   * @param isRepeat its events may be stored already
   * @throws if there is no response
   */
  async post(body: string, isRepeat = false): Promise<Posted> {
    const headers = isRepeat ? { ...this.#headers, 'Forebay-Resent': '1' } : this.#headers;
    if (this.#agent !== undefined) return this.#postTls(body, headers, this.#agent);
    const response = await fetch(this.#url, { method: 'POST', headers, body });
    const retryAfter = response.headers.get('retry-after');
    return { status: response.status, retryAfter, body: await response.json() };
  }

  async #postTls(body: string, given: Record<string, string>, agent: Agent): Promise<Posted> {
    const headers = { ...given, 'Content-Length': String(Buffer.byteLength(body)) };
    const asked = request(this.#url, { method: 'POST', headers, agent });
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    const retryAfter = response.headers['retry-after'] ?? null;
    return { status: response.statusCode ?? 0, retryAfter, body: JSON.parse(text) };
  }
}

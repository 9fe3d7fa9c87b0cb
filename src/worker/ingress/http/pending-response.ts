import type { EventsResponse } from '../../acknowledger/http-reply.ts';
import type { HttpResponse } from '../transport/transport.ts';
import { jsonBody, type ResponseContent, send } from './responses.ts';

/** The response to a complete body, until it is sent or the client has disconnected. */
export class PendingResponse {
  readonly #response: HttpResponse;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #onEnd: (answered: boolean) => boolean;
  #ended = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param headers sent with any response
   * @param onEnd called once, at the end; returns whether a response closes the connection
   */
  constructor(
    response: HttpResponse,
    headers: Readonly<Record<string, string>>,
    onEnd: (answered: boolean) => boolean,
  ) {
    this.#response = response;
    this.#headers = headers;
    this.#onEnd = onEnd;
  }

  expireAfter(ms: number, expire: () => void): void {
    this.#timer = setTimeout(expire, ms);
  }

  /** Responds with the results of the body's events. */
  respond({ status, retryAfter, body }: EventsResponse): void {
    const text = jsonBody(body);
    if (retryAfter === undefined) return this.send({ status, body: text });
    this.send({ status, headers: { 'Retry-After': String(retryAfter) }, body: text });
  }

  send(content: ResponseContent): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    this.#ended = true;
    const close = this.#onEnd(true);
    send(this.#response, content, { headers: this.#headers, close });
  }

  /** Handles a client that disconnects; its events continue. */
  abort(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(false);
  }

  /** Closes the connection without a response after an internal error. */
  fail(): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd(false);
    this.#response.close();
  }
}

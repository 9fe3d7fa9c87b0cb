import type { HttpAnswer } from '../../acknowledger/http-reply.ts';
import type { HttpResponse } from '../uws.ts';
import { type Answer, jsonBody, send } from './responses.ts';

/** The response to a body that is whole, on its way: answered, or nobody there any more. */
export class Exchange {
  readonly #response: HttpResponse;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #onOver: (answered: boolean) => boolean;
  #over = false;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param headers of any answer
   * @param onOver called once, at the end; returns whether an answer ends the connection
   */
  constructor(
    response: HttpResponse,
    headers: Readonly<Record<string, string>>,
    onOver: (answered: boolean) => boolean,
  ) {
    this.#response = response;
    this.#headers = headers;
    this.#onOver = onOver;
  }

  expireAfter(ms: number, expire: () => void): void {
    this.#timer = setTimeout(expire, ms);
  }

  /** Tells the fate of the body's events. */
  answer({ status, retryAfter, body }: HttpAnswer): void {
    const text = jsonBody(body);
    if (retryAfter === undefined) return this.send({ status, body: text });
    this.send({ status, headers: { 'Retry-After': String(retryAfter) }, body: text });
  }

  send(answer: Answer): void {
    clearTimeout(this.#timer);
    if (this.#over) return;
    this.#over = true;
    const close = this.#onOver(true);
    send(this.#response, answer, { headers: this.#headers, close });
  }

  /** The client went away; its events go on. */
  abort(): void {
    if (this.#over) return;
    this.#over = true;
    this.#onOver(false);
  }

  /** Something went wrong here: the connection ends without an answer. */
  fail(): void {
    clearTimeout(this.#timer);
    if (this.#over) return;
    this.#over = true;
    this.#onOver(false);
    this.#response.close();
  }
}

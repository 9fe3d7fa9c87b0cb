import type { IncomingMessage } from 'node:http';
import type { HttpRequest } from '../transport.ts';

/** A request of node:http; valid longer than the contract requires. */
export class NodeRequest implements HttpRequest {
  readonly #method: string;
  readonly #path: string;
  readonly #query: string;
  /** Names in lower case, and values, alternating. */
  readonly #headers: readonly string[];

  constructor({ method = '', url = '', rawHeaders }: IncomingMessage) {
    this.#method = method;
    const queryAt = url.indexOf('?');
    this.#path = queryAt < 0 ? url : url.slice(0, queryAt);
    this.#query = queryAt < 0 ? '' : url.slice(queryAt + 1);
    this.#headers = rawHeaders.map((text, index) =>
      index % 2 === 0 ? text.toLowerCase() : decoded(text),
    );
  }

  getHeader(name: string): string {
    for (let index = 0; index < this.#headers.length; index += 2) {
      if (this.#headers[index] === name) return this.#headers[index + 1]!;
    }
    return '';
  }

  getUrl(): string {
    return this.#path;
  }

  getQuery(): string {
    return this.#query;
  }

  getCaseSensitiveMethod(): string {
    return this.#method;
  }

  forEach(visit: (name: string, value: string) => void): void {
    for (let index = 0; index < this.#headers.length; index += 2) {
      visit(this.#headers[index]!, this.#headers[index + 1]!);
    }
  }
}

/** Decodes a value as UTF-8, which node:http has decoded as Latin-1. */
function decoded(value: string): string {
  return /[\x80-\xff]/.test(value) ? Buffer.from(value, 'latin1').toString() : value;
}

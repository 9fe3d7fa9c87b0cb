import type { ServerResponse } from 'node:http';
import { LIMITS } from '../../config/limits.ts';

/** Reconnect delay of browsers. */
const RETRY_MS = 1_000;

/** Viewers of the Server-Sent Events, with a limit on their unread data. */
export class Viewers {
  readonly #responses = new Set<ServerResponse>();

  get size(): number {
    return this.#responses.size;
  }

  /** Starts a stream. @returns false if the limit is reached */
  add(response: ServerResponse): boolean {
    if (this.#responses.size >= LIMITS.liveView.viewers) return false;
    this.#responses.add(response);
    response.on('close', () => this.#responses.delete(response));
    beginStream(response);
    response.write(`retry: ${RETRY_MS}\n\n`);
    return true;
  }

  /** Sends an event to all viewers. */
  send(event: string, data: object): void {
    const text = frameOf(event, JSON.stringify(data));
    for (const response of this.#responses) this.#write(response, text);
  }

  sendTo(response: ServerResponse, event: string, data: object): void {
    this.#write(response, frameOf(event, JSON.stringify(data)));
  }

  /** Disconnects a viewer that does not read: its data would be buffered without limit. */
  #write(response: ServerResponse, text: string): void {
    response.write(text);
    if (response.writableLength > LIMITS.liveView.unreadBytes) response.destroy();
  }
}

/** Sends the headers of a stream of Server-Sent Events. */
export function beginStream(response: ServerResponse): void {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    // A buffering proxy would delay the events.
    'X-Accel-Buffering': 'no',
  });
}

/** Returns an event of a stream. @param json contains no newlines, so one `data` line holds it */
export function frameOf(event: string, json: string): string {
  return `event: ${event}\ndata: ${json}\n\n`;
}

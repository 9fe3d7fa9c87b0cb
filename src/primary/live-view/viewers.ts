import type { ServerResponse } from 'node:http';
import { LIMITS } from '../../config/limits.ts';

/** After so long a browser connects again. */
const RETRY_MS = 1_000;

/** Who reads a stream of Server-Sent Events, and how much of it lies unread. */
export class Viewers {
  readonly #responses = new Set<ServerResponse>();

  get size(): number {
    return this.#responses.size;
  }

  /** Begins a stream. @returns false when there are enough */
  add(response: ServerResponse): boolean {
    if (this.#responses.size >= LIMITS.liveView.viewers) return false;
    this.#responses.add(response);
    response.on('close', () => this.#responses.delete(response));
    response.writeHead(200, {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      // A proxy that collects answers would show them late.
      'X-Accel-Buffering': 'no',
    });
    response.write(`retry: ${RETRY_MS}\n\n`);
    return true;
  }

  /** Sends an event to all. */
  send(event: string, data: object): void {
    const text = frame(event, data);
    for (const response of this.#responses) this.#write(response, text);
  }

  sendTo(response: ServerResponse, event: string, data: object): void {
    this.#write(response, frame(event, data));
  }

  /** Who does not read is cut off: it would be kept for him without an end. */
  #write(response: ServerResponse, text: string): void {
    response.write(text);
    if (response.writableLength > LIMITS.liveView.unreadBytes) response.destroy();
  }
}

/** JSON has no line ends, so one `data` line holds it. */
function frame(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

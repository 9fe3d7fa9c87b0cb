/** What users of the library see: see docs/client.md. */
import type { WebSocketClass } from './connection.ts';
import type { SendError } from './entry.ts';
import type { KeyOption } from './key.ts';
import type { UrlOption } from './platform.ts';

export interface ClientOptions {
  /** The gateway's WebSocket, `wss://events.example.com/ws`; `https` means the same. */
  readonly url: UrlOption;
  /**
   * An API key or a JSON Web Token, where the gateway needs one; or a function that returns the
   * current one, or a promise of it, called for each connection and body: tokens expire.
   */
  readonly key?: KeyOption;
  /** Its `POST /events`, for where WebSockets are blocked; by default on the same host. */
  readonly fallbackUrl?: UrlOption;
  /**
   * Field of the id that `send()` adds to an event without one, FOREBAY_ID_FIELD of the gateway;
   * `''` adds none, for schemas that allow no further field. Default `id`.
   */
  readonly idField?: string;
  /** Bytes of events without an end; beyond it the oldest that wait are dropped. Default 1 MiB. */
  readonly maxBufferedBytes?: number;
  /** For Node.js 20, which has none of its own: `WebSocket` of the package `ws`. */
  readonly webSocket?: WebSocketClass;
  /** Hears of every change, the last of those that come together. */
  readonly onStatus?: (status: Status) => void;
  /**
   * An event has left, for the first time or again. A POST counts when the gateway has answered it:
   * without its answer nothing tells whether the event left.
   */
  readonly onSent?: (event: object, attempt: number) => void;
  /**
   * An event was refused for good. With `error.retry` it was not: the gateway takes nothing from this
   * client for now (`unauthorized`, `forbidden_origin`), which is told once, of the oldest event.
   */
  readonly onRefused?: (event: object, error: SendError) => void;
  /** An event had no room in the buffer, or was without an end when the client closed. */
  readonly onDropped?: (event: object, error: SendError) => void;
}

/** What a client does now and has done since it was made; counts are of events. */
export interface Status {
  /** `fallback`: events go by POST, and a WebSocket is tried again now and then. */
  readonly state: 'connecting' | 'open' | 'fallback' | 'closed';
  /** Given to `send()`, but for those that it cannot send. */
  readonly sent: number;
  readonly stored: number;
  readonly refused: number;
  readonly dropped: number;
  /** Not on their way: there is no connection, or no credit. */
  readonly waiting: number;
  /** On their way, without an ack. */
  readonly unacknowledged: number;
  readonly bufferedBytes: number;
  /** Connections that came after the first. */
  readonly reconnects: number;
  /** What the gateway allows to be sent now. */
  readonly credit: { readonly frames: number; readonly bytes: number };
  /** From the last acknowledged frame's departure to its ack. */
  readonly ackMs: number | undefined;
  /** Why there is no WebSocket, or an event is stuck. */
  readonly problem: string | undefined;
}

export interface Client {
  readonly status: Status;
  /**
   * Sends a JSON object, with an id (`idField`) if it has none; may be called at any time, connected
   * or not. Resolves when Kafka has it. Need not be awaited: what it rejects with is told by the options'
   * functions too, and is never an unhandled rejection.
   * @throws (rejects with) SendError: refused for good, dropped, closed, or not to be sent at all
   */
  send(event: object): Promise<void>;
  /** Sends what waits now; resolves when everything given to `send()` before has its end. */
  flush(): Promise<void>;
  /** Takes no more, flushes for 10 s at the most, and ends the connection. */
  close(): Promise<void>;
}

/** Public API of the library; see docs/client.md. */
import type { WebSocketClass } from './connection.ts';
import type { SendError } from './entry.ts';
import type { KeyOption } from './key.ts';
import type { UrlOption } from './platform.ts';

export interface ClientOptions {
  /** The gateway's WebSocket, `wss://events.example.com/ws`; `https` means the same. */
  readonly url: UrlOption;
  /**
   * API key or JSON Web Token, if the gateway requires one; or a function that returns the current
   * one, or a promise of it. It is called for each connection and body: tokens expire.
   */
  readonly key?: KeyOption;
  /** Its `POST /events`, used where WebSockets are blocked; by default on the same host. */
  readonly fallbackUrl?: UrlOption;
  /**
   * Stream of all events, where the gateway has several; by default it selects one for each event.
   * Several streams take a client each: an ack waits for all streams of its frames.
   */
  readonly stream?: string;
  /**
   * Field of the id that `send()` adds to an event without one, FOREBAY_ID_FIELD of the gateway;
   * `''` adds none, for schemas that allow no additional field. Default `id`.
   */
  readonly idField?: string;
  /**
   * Maximum bytes of unsettled events; above it the oldest waiting ones are dropped. Default 1 MiB.
   */
  readonly maxBufferedBytes?: number;
  /** For Node.js 20, which has no WebSocket of its own: `WebSocket` of the package `ws`. */
  readonly webSocket?: WebSocketClass;
  /** Called after every change; simultaneous changes are combined. */
  readonly onStatus?: (status: Status) => void;
  /**
   * An event was sent, for the first time or again. A POST counts when the gateway has responded:
   * without a response it is unknown whether the event was sent.
   */
  readonly onSent?: (event: object, attempt: number) => void;
  /**
   * An event was rejected permanently. With `error.retry` it was not: the gateway currently rejects
   * everything from this client (`unauthorized`, `forbidden_origin`), which is reported once, for
   * the oldest event.
   */
  readonly onRefused?: (event: object, error: SendError) => void;
  /** An event had no room in the buffer, or was unsettled when the client closed. */
  readonly onDropped?: (event: object, error: SendError) => void;
}

/** Current state of a client, and counts of events since its creation. */
export interface Status {
  /** `fallback`: events are sent by POST, and a WebSocket is retried periodically. */
  readonly state: 'connecting' | 'open' | 'fallback' | 'closed';
  /** Passed to `send()`, except for events that cannot be sent. */
  readonly sent: number;
  readonly stored: number;
  readonly refused: number;
  readonly dropped: number;
  /** Not sent yet: there is no connection, or no credit. */
  readonly waiting: number;
  /** Sent, without an ack. */
  readonly unacknowledged: number;
  readonly bufferedBytes: number;
  /** Connections after the first one. */
  readonly reconnects: number;
  /** Credit that the gateway currently grants. */
  readonly credit: { readonly frames: number; readonly bytes: number };
  /** Time from sending the last acknowledged frame to its ack. */
  readonly ackMs: number | undefined;
  /** Reason why there is no WebSocket, or why an event is stuck. */
  readonly problem: string | undefined;
}

export interface Client {
  readonly status: Status;
  /**
   * Sends a JSON object, with an id (`idField`) if it has none; may be called at any time,
   * connected or not. Resolves once Kafka has stored it. Need not be awaited: its rejection is also
   * reported to the functions of the options, and is never an unhandled rejection.
   * @throws (rejects with) SendError: rejected permanently, dropped, closed, or not sendable
   */
  send(event: object): Promise<void>;
  /** Sends waiting events now; resolves when everything passed to `send()` before is settled. */
  flush(): Promise<void>;
  /** Rejects further events, flushes for 10 s at most, and closes the connection. */
  close(): Promise<void>;
}

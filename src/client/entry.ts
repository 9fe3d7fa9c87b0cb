/** Events on their way, and their settlement. */
import { uuidv7 } from './uuid.ts';

/** Reason why an event is not stored; rejection of `send()`. */
export class SendError extends Error {
  /** A code of the gateway's catalog, or `dropped` or `closed` from this client. */
  readonly code: string;
  /** The client keeps the event and sends it again: the rejection is temporary. */
  readonly retry: boolean;

  constructor(code: string, message: string, retry = false) {
    super(message);
    this.name = 'SendError';
    this.code = code;
    this.retry = retry;
  }
}

/** One event until it is settled. */
export interface Entry {
  readonly event: object;
  /** Text that is sent, identical in each attempt. */
  readonly text: string;
  /** Length of `text` in UTF-8. */
  readonly bytes: number;
  attempts: number;
  /** Attempts with this event alone that got no response. */
  alone: number;
  /** Times that others got through while it did not. */
  stuck: number;
  /**
   * Attempts that may have stored it: sent, and not rejected. While the event waits, any of them
   * makes it a possible repeat, which must be declared to the gateway.
   */
  unsure: number;
  /** Reason of the last temporary rejection. */
  why?: string;
  /** Rank in the sending order, assigned by the outbox. */
  place: number;
  stored(): void;
  failed(error: SendError): void;
}

/** @returns the initial state fields of an entry */
export function progress() {
  return { attempts: 0, alone: 0, stuck: 0, unsure: 0, place: 0 };
}

/** A rejection of events as the gateway words it, in a `nack` or in an HTTP response. */
export interface Refusal {
  readonly code: string;
  readonly retry: boolean;
  readonly retryAfterMs?: number;
  /** Ranges of event indices in the frame, inclusive; absent = the whole frame. */
  readonly events?: readonly (readonly [first: number, last: number])[];
  readonly message: string;
}

/** Reports of a transport about the events that it has taken. */
export interface EntryEvents {
  sent(entry: Entry): void;
  stored(entry: Entry): void;
  refused(entry: Entry, refusal: Refusal): void;
  /** Other events get through, and it does not. */
  stuck(entry: Entry): void;
  /** Events sent on page exit may wait again: the page is still alive. */
  left(): void;
}

const encoder = new TextEncoder();

export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/**
 * Serializes an event, with an id.
 * @param idField name of the id; '' = none is added
 * @throws SendError
 */
export function eventText(event: object, idField: string): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(event);
  } catch (error) {
    throw new SendError('invalid_json', String(error));
  }
  // Checks the serialized form: toJSON() may return anything.
  if (!text?.startsWith('{')) throw new SendError('not_an_object', 'an event must be an object');
  const own = Object.getOwnPropertyDescriptor(event, idField)?.value;
  if (idField === '' || own !== undefined) return text;
  if (Object.hasOwn(JSON.parse(text), idField)) return text;
  return `{${JSON.stringify(idField)}:"${uuidv7()}"${text === '{}' ? '' : ','}${text.slice(1)}`;
}

/** Rejection of an event that exceeds every frame. */
export function tooLarge(bytes: number, most: number): Refusal {
  const message = `${bytes} bytes exceed the limit of ${most}`;
  return { code: 'too_large', retry: false, message };
}

/** Text of a frame or body; several events form an array. */
export function frameText(entries: readonly Entry[]): string {
  return entries.length === 1 ? entries[0]!.text : `[${entries.map(({ text }) => text).join()}]`;
}

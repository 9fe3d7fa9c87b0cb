/** Events on their way, and how they end. */
import { uuidv7 } from './uuid.ts';

/** Why an event is not stored; what `send()` rejects with. */
export class SendError extends Error {
  /** A code of the gateway's catalogue, or `dropped` or `closed` from this client. */
  readonly code: string;
  /** The client keeps the event and sends it again: it was refused only for now. */
  readonly retry: boolean;

  constructor(code: string, message: string, retry = false) {
    super(message);
    this.name = 'SendError';
    this.code = code;
    this.retry = retry;
  }
}

/** One event until its end is known. */
export interface Entry {
  readonly event: object;
  /** What is sent, the same each time. */
  readonly text: string;
  /** Of `text` in UTF-8. */
  readonly bytes: number;
  attempts: number;
  /** Attempts with this event alone that got no answer. */
  alone: number;
  /** Times that others got through while it did not. */
  stuck: number;
  /** Attempts that may have stored it: it has left, and was not refused. */
  unsure: number;
  /** Why it was refused last; it may be sent again. */
  why?: string;
  /** Rank in the order of sending, given by the outbox. */
  place: number;
  stored(): void;
  failed(error: SendError): void;
}

/** @returns the fields of an entry that nothing has happened to */
export function progress() {
  return { attempts: 0, alone: 0, stuck: 0, unsure: 0, place: 0 };
}

/** A refusal of events as the gateway words it, in a `nack` or in an HTTP answer. */
export interface Refusal {
  readonly code: string;
  readonly retry: boolean;
  readonly retryAfterMs?: number;
  /** First and last index of events of the frame; absent = all of it. */
  readonly events?: readonly (readonly [first: number, last: number])[];
  readonly message: string;
}

/** What a transport tells of the events that it has taken. */
export interface Fates {
  sent(entry: Entry): void;
  stored(entry: Entry): void;
  refused(entry: Entry, refusal: Refusal): void;
  /** Others get through, and it does not. */
  stuck(entry: Entry): void;
  /** What went with the page may wait again: the page is still there. */
  left(): void;
}

const encoder = new TextEncoder();

export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/**
 * Text of an event as it is sent, with an id.
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
  // Looked at as it is sent: toJSON() may make anything of it.
  if (!text?.startsWith('{')) throw new SendError('not_an_object', 'an event must be an object');
  const own = Object.getOwnPropertyDescriptor(event, idField)?.value;
  if (idField === '' || own !== undefined) return text;
  if (Object.hasOwn(JSON.parse(text), idField)) return text;
  return `{${JSON.stringify(idField)}:"${uuidv7()}"${text === '{}' ? '' : ','}${text.slice(1)}`;
}

/** What is said of an event that no frame may hold. */
export function tooLarge(bytes: number, most: number): Refusal {
  const message = `${bytes} bytes exceed the limit of ${most}`;
  return { code: 'too_large', retry: false, message };
}

/** The text of a frame or body; several events are an array. */
export function frameText(entries: readonly Entry[]): string {
  return entries.length === 1 ? entries[0]!.text : `[${entries.map(({ text }) => text).join()}]`;
}

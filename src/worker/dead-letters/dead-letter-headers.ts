/** Record headers of dead letters, in a fixed order; docs/dead-letters.md lists them. */
import type { DeadLetterCode } from '../../common/errors.ts';
import { parseAddress, siteOf } from '../../common/ip-addresses.ts';
import { CONTENT_TYPE_HEADER, DEAD_LETTER_HEADERS } from '../../kafka/record-headers.ts';
import type { HeaderName } from '../../streams/stream-file.ts';
import { type EncodedHeaders, varintSize, writeVarint } from '../accumulator/records.ts';
import { RECORD_NAMES } from '../streams/header-encoder.ts';
import { headerText } from '../streams/header-text.ts';
import type { Facts } from '../streams/provenance.ts';
import type { Stream } from '../streams/stream.ts';
import { DEAD_LETTER_LIMITS } from './limits.ts';

/** Content of the headers of a dead letter. */
export interface DeadLetterFacts {
  readonly code: DeadLetterCode;
  readonly message: string;
  /** Stream of the event; undefined = it belongs to none, or its stream is unknown. */
  readonly stream: Stream | undefined;
  /** Arrival, ms since 1970. */
  readonly arrivalTime: number;
  /** Name of the API key, or `sub`; empty without. */
  readonly identity: string;
  readonly transport: 'ws' | 'http';
  /** Index in the frame or body; undefined = the letter is a whole one. */
  readonly index: number | undefined;
  /** Size of a value that was cut, bytes; undefined = it is complete. */
  readonly completeBytes: number | undefined;
  /** Its sender declared that it may be a repeat. */
  readonly isResent: boolean;
  readonly isMsgpack: boolean;
  /** Facts about its request or connection. */
  readonly facts: Facts;
}

/** Facts of a sender that a letter states if the stream of the event asks for them. */
const SENDER_FACTS = [
  'traceparent',
  'tracestate',
  'request-id',
  'instance',
  'client-ip',
  'user-agent',
  'origin',
  'referer',
] as const satisfies readonly HeaderName[];

/** Encodes the headers of one letter at a time. */
export class DeadLetterHeaders implements EncodedHeaders {
  readonly bytes = Buffer.allocUnsafeSlow(DEAD_LETTER_LIMITS.headerBytes);
  #length = 1;
  #count = 0;
  readonly #instance: string;

  /** @param instance name of this instance */
  constructor(instance: string) {
    this.#instance = headerText(instance);
  }

  get length(): number {
    return this.#length;
  }

  encode(letter: DeadLetterFacts): this {
    this.#length = 1;
    this.#count = 0;
    this.#add(DEAD_LETTER_HEADERS.code, letter.code);
    this.#add(
      DEAD_LETTER_HEADERS.message,
      headerText(letter.message, DEAD_LETTER_LIMITS.messageBytes),
    );
    this.#add(RECORD_NAMES.stream, letter.stream?.name);
    this.#add(RECORD_NAMES.received, String(letter.arrivalTime));
    this.#add(RECORD_NAMES.identity, headerText(letter.identity));
    this.#add(RECORD_NAMES.transport, letter.transport);
    this.#add(DEAD_LETTER_HEADERS.index, letter.index?.toString());
    this.#add(DEAD_LETTER_HEADERS.truncated, letter.completeBytes?.toString());
    this.#add(RECORD_NAMES.resent, letter.isResent ? '1' : undefined);
    this.#add(CONTENT_TYPE_HEADER, letter.isMsgpack ? 'application/msgpack' : 'application/json');
    if (letter.stream !== undefined) this.#addFacts(letter.stream, letter.facts);
    this.bytes[0] = this.#count << 1;
    return this;
  }

  #addFacts({ spec: { record } }: Stream, facts: Facts): void {
    if (record.headers.length === 0) return;
    for (const name of SENDER_FACTS) {
      if (!record.headers.includes(name)) continue;
      if (name === 'instance') this.#add(RECORD_NAMES[name], this.#instance);
      else if (name === 'client-ip') this.#add(RECORD_NAMES[name], addressOf(facts, record.ip));
      else this.#add(RECORD_NAMES[name], facts[name]);
    }
  }

  /** Adds a header; none without a value. */
  #add(name: string, value: string | undefined): void {
    if (value === undefined || value === '') return;
    const { bytes } = this;
    const valueBytes = Buffer.byteLength(value);
    const size = varintSize(name.length) + name.length + varintSize(valueBytes) + valueBytes;
    if (this.#length + size > bytes.length) return;
    let at = writeVarint(bytes, this.#length, name.length);
    at += bytes.write(name, at, 'latin1');
    at = writeVarint(bytes, at, valueBytes);
    this.#length = at + bytes.write(value, at);
    this.#count++;
  }
}

function addressOf({ 'client-ip': full }: Facts, precision: 'truncated' | 'full'): string {
  if (full === undefined || precision === 'full') return full ?? '';
  const address = parseAddress(full);
  // The header of a record has only the network already.
  return address === undefined ? full : siteOf(address);
}

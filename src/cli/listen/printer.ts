/** Processing of the records that `listen` reads: filters, prints, counts and verifies them. */
import type { KafkaMessage } from 'kafkajs';
import type { JsonObject } from '../../common/json-object.ts';
import { type RecordHeaders, recordHeaders } from '../../kafka/record-headers.ts';
import { eventIn, readableValue } from '../../kafka/record-value.ts';
import type { ListenOptions } from './arguments.ts';
import type { Colors } from './colors.ts';
import { matchesAll, matchesHeaders } from './filter.ts';
import { counted, jsonLine, type ListenedRecord, plainLine } from './format.ts';
import type { Output } from './output.ts';
import { Rates } from './rates.ts';
import type { Verification } from './verification.ts';

/** Size of a write: soon visible on a terminal, and cheap for a pipe. */
const CHUNK_LENGTH = 64 * 1024;
const RATE_MS = 1_000;

export interface PrinterParts {
  readonly options: ListenOptions;
  readonly colors: Colors | undefined;
  readonly output: Output;
  readonly verification: Verification | undefined;
  /** Ends the reading; aborted by the printer after `--count` events. */
  readonly stop: AbortController;
}

export class Printer {
  readonly #parts: PrinterParts;
  readonly #rates: Rates | undefined;
  #startedMs: number | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #read = 0;
  /** Events that match the filters. */
  #shown = 0;

  constructor(parts: PrinterParts) {
    this.#parts = parts;
    const { json, rate } = parts.options;
    if (rate) this.#rates = new Rates({ json, colors: parts.colors });
  }

  /** Starts the clock of the rates; further calls have no effect. */
  begin(): void {
    if (this.#startedMs !== undefined) return;
    this.#startedMs = performance.now();
    this.#rates?.begin(this.#startedMs);
    if (this.#rates !== undefined) this.#ticking = setInterval(() => this.#writeRates(), RATE_MS);
  }

  /** Prints records of one partition in order; resolves when there is room for more. */
  async print(partition: number, messages: readonly KafkaMessage[]): Promise<void> {
    const { options, output, stop } = this.#parts;
    const { count = Number.POSITIVE_INFINITY } = options;
    let text = '';
    for (const message of messages) {
      if (stop.signal.aborted) return;
      text += this.#process(partition, message);
      if (this.#shown >= count) stop.abort();
      if (text.length >= CHUNK_LENGTH || stop.signal.aborted) {
        await output.write(text);
        text = '';
      }
    }
    if (text !== '') await output.write(text);
  }

  /** Prints the last rates. @returns the summary line */
  async end(): Promise<string> {
    clearInterval(this.#ticking);
    const read = counted(this.#read, 'event');
    if (this.#startedMs === undefined) return read;
    await this.#writeRates();
    const seconds = ((performance.now() - this.#startedMs) / 1_000).toFixed(1);
    const { filters, headerFilters, withoutHeaders } = this.#parts.options;
    const isFiltered = filters.length + headerFilters.length + withoutHeaders.length > 0;
    const all = isFiltered ? `${this.#shown} of ${read}` : read;
    return `${all} in ${seconds} s`;
  }

  /** @returns the text to print, possibly empty */
  #process(partition: number, message: KafkaMessage): string {
    const { options, verification, colors } = this.#parts;
    const { filters, headerFilters, withoutHeaders, headers, json } = options;
    this.#read++;
    const found = recordHeaders(message.headers);
    if (!matchesHeaders(headerFilters, withoutHeaders, found)) return '';
    const record = recordOf(partition, message, found);
    let event: JsonObject | undefined;
    if (filters.length > 0 || verification !== undefined) event = eventIn(record.value);
    if (!matchesAll(filters, record.key, event)) return '';
    this.#shown++;
    verification?.check(record, event);
    if (this.#rates !== undefined) {
      this.#rates.count(partition);
      return '';
    }
    return json ? jsonLine(record, { headers }) : plainLine(record, { headers, colors });
  }

  async #writeRates(): Promise<void> {
    if (this.#rates === undefined) return;
    await this.#parts.output.write(this.#rates.line(performance.now(), new Date()));
  }
}

/** Returns a consumed record with its value in readable form. */
export function recordOf(
  partition: number,
  { offset, timestamp, key, value }: KafkaMessage,
  headers: RecordHeaders,
): ListenedRecord {
  return {
    partition,
    offset: BigInt(offset),
    timestamp: Number(timestamp),
    key,
    headers,
    value: readableValue({ value, headers }),
  };
}

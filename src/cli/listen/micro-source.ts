import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaMessage } from 'kafkajs';
import { complain, EXIT, StartError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { readAdminToken } from '../../primary/commands.ts';
import type { ListenOptions } from './arguments.ts';
import { reasonOf } from './positions.ts';
import type { Printer } from './printer.ts';
import type { Source } from './source.ts';
import { describeStart } from './start.ts';

/** Interval of requests when there are no new events, and after a failure. */
const PAUSE_MS = { poll: 200, failure: 1_000 } as const;
/** Begins the value, the last field of a line. */
const VALUE = ',"value":';

/** A line of `GET /micro/events`; docs/micro.md describes its fields. */
interface Entry {
  readonly outcome: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly storedBase64?: string;
  readonly valueText?: string;
  readonly valueBase64?: string;
}

/** A response: records in their order, and where the next request goes on. */
interface Page {
  readonly records: readonly (readonly [entry: Entry, line: string])[];
  readonly next: number;
  readonly more: boolean;
}

/** The log of a `forebay micro`: its stored events and dead letters. */
export class MicroSource implements Source {
  readonly #url: string;
  readonly #options: ListenOptions;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param url of its admin port */
  constructor(url: string, config: Config, options: ListenOptions) {
    this.#url = url;
    this.#options = options;
    const token = readAdminToken(config);
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async follow(printer: Printer, signal: AbortSignal): Promise<void> {
    const { from } = this.#options;
    let since: number | undefined;
    let isLost = false;
    while (!signal.aborted) {
      try {
        // Behind the last event there are none, only its position.
        const page = await this.#request(since ?? startOf(from), signal);
        if (since === undefined) complain(this.#description());
        else if (isLost) complain('resumed reading');
        isLost = false;
        if (page.next < (since ?? 0)) {
          complain('forebay micro was started again: reading its log from the beginning');
          since = 0;
          continue;
        }
        printer.begin();
        since = page.next;
        await this.#print(printer, page);
        if (!page.more) await sleep(PAUSE_MS.poll, undefined, { signal });
      } catch (error) {
        if (signal.aborted || error instanceof StartError) throw error;
        if (!isLost)
          complain(`forebay micro cannot be reached (${reasonOf(error)}); waiting for it`);
        isLost = true;
        await sleep(PAUSE_MS.failure, undefined, { signal });
      }
    }
  }

  #description(): string {
    const { from, stream, topic } = this.#options;
    const what = stream === undefined ? (topic ?? 'all streams') : `stream ${stream}`;
    const where = `forebay micro at ${this.#url}, which is not Kafka`;
    return `reading ${what} of ${where}, from ${describeStart(from)}`;
  }

  /** @throws StartError if the request is rejected */
  async #request(since: number, signal: AbortSignal): Promise<Page> {
    const url = new URL('/micro/events', this.#url);
    url.searchParams.set('format', 'ndjson');
    url.searchParams.set('since', String(since));
    const { stream } = this.#options;
    if (stream !== undefined) url.searchParams.set('stream', stream);
    const response = await fetch(url, { headers: this.#headers, signal });
    const text = await response.text();
    if (!response.ok) throw rejected(this.#url, response.status, text);
    const lines = text.trim().split('\n');
    const { next, more } = JSON.parse(lines.pop()!) as Pick<Page, 'next' | 'more'>;
    const records = lines
      .map((line) => [JSON.parse(line) as Entry, line] as const)
      .filter(([entry]) => this.#isWanted(entry));
    return { records, next, more };
  }

  #isWanted({ outcome, topic, partition, timestamp }: Entry): boolean {
    const { topic: wanted = topic, partitions, from } = this.#options;
    if (outcome === 'rejected' || topic !== wanted) return false;
    if (typeof from === 'number' && timestamp < from) return false;
    return partitions?.has(partition) ?? true;
  }

  async #print(printer: Printer, { records }: Page): Promise<void> {
    for (const [entry, line] of records) {
      await printer.print(entry.partition, [messageOf(entry, line)]);
    }
  }
}

function startOf(from: ListenOptions['from']): number {
  return from === 'end' ? Number.MAX_SAFE_INTEGER : 0;
}

/** Returns the record as Kafka would have it. */
function messageOf(entry: Entry, line: string): KafkaMessage {
  const { key, offset, timestamp, headers } = entry;
  return {
    key: key === null ? null : Buffer.from(key),
    value: storedValue(entry, line),
    timestamp: String(timestamp),
    offset: String(offset),
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]),
    ),
    attributes: 0,
  } as KafkaMessage;
}

/** Parsed and written again, large numbers and repeated names would change. */
function storedValue({ storedBase64, valueText, valueBase64 }: Entry, line: string): Buffer {
  if (storedBase64 !== undefined) return Buffer.from(storedBase64, 'base64');
  if (valueBase64 !== undefined) return Buffer.from(valueBase64, 'base64');
  if (valueText !== undefined) return Buffer.from(valueText);
  return Buffer.from(line.slice(line.indexOf(VALUE) + VALUE.length, -1));
}

function rejected(url: string, status: number, text: string): StartError {
  let reason = `status ${status}`;
  try {
    reason = (JSON.parse(text) as { error: { message: string } }).error.message;
  } catch {
    // Another server.
  }
  const is = status === 404 ? 'is it a forebay micro? ' : '';
  const exitCode = status === 400 ? EXIT.configuration : EXIT.failed;
  return new StartError(`listen: ${url} rejects the request: ${is}${reason}`, exitCode);
}

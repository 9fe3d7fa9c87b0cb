/** `schema try`: the events of a topic, and the dead letters, against a new schema. */
import { Kafka, type KafkaMessage } from 'kafkajs';
import { complain, EXIT, StartError } from '../../common/errors.ts';
import { type Config, readConfig, unknownSettings } from '../../config/config.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import { recordHeaders } from '../../kafka/record-headers.ts';
import '../../kafka/request-queue.ts';
import type { ListenedRecord } from '../listen/format.ts';
import { Output } from '../listen/output.ts';
import { obstacleOf, obstacleText, reasonOf } from '../listen/positions.ts';
import { recordOf } from '../listen/printer.ts';
import { fetchRange, RangeReader, type TopicRange } from '../listen/range-reader.ts';
import { ProgressBar } from '../progress.ts';
import { DeadLetters, StoredEvents } from './checks.ts';
import { reportJson, reportText, type TryReport } from './report.ts';
import { type LoadedSchema, loadSchema } from './schema-source.ts';
import { chooseTarget, type DeadLetterTarget, type TryTarget } from './target.ts';
import type { TryOptions } from './try-arguments.ts';

/** Few retries of kafkajs, so that failures are reported and signals obeyed soon. */
const RETRY = { retries: 2, initialRetryTime: 100, maxRetryTime: 500 };

/**
 * Runs until it has read the events, or is interrupted (SIGINT, SIGTERM); prints the report in
 * either case.
 * @returns the exit code: 0, 1 if it was interrupted, 3 if a stored event fails
 * @throws StartError for an unusable schema or stream file (exit code 2), and without Kafka or the
 * topic (exit code 1)
 */
export async function trySchema(options: TryOptions): Promise<number> {
  const schema = await loadSchema(options.schema);
  for (const warning of schema.warnings) complain(`warning: ${warning}`);
  for (const warning of unknownSettings(process.env)) complain(warning);
  const config = readConfig(process.env);
  const target = await chooseTarget(config, options);
  for (const note of target.notes) complain(note);
  return new Trial(config, schema, target, options).run();
}

/** Results that count records. */
interface Check {
  readonly tally: { readonly events: number; readonly failed: number };
  add(record: ListenedRecord): void;
}

class Trial {
  readonly #kafka: Kafka;
  readonly #brokers: string;
  readonly #schema: LoadedSchema;
  readonly #target: TryTarget;
  readonly #options: TryOptions;
  readonly #stop = new AbortController();
  readonly #stored: StoredEvents;
  readonly #letters: DeadLetters;
  readonly #progress: ProgressBar;
  #readers: readonly RangeReader[] = [];
  /** Why the ranges were not read to their ends. */
  #incomplete: string | undefined;

  constructor(config: Config, schema: LoadedSchema, target: TryTarget, options: TryOptions) {
    this.#kafka = new Kafka({ ...kafkaOptions(config), retry: RETRY });
    this.#brokers = config.kafkaBrokers.join(',');
    this.#schema = schema;
    this.#target = target;
    this.#options = options;
    const common = { ...options, next: schema.validate };
    const { current, otherStreams, stream = '' } = target;
    this.#stored = new StoredEvents({ ...common, current, otherStreams });
    this.#letters = new DeadLetters({ ...common, stream });
    this.#progress = new ProgressBar(process.stderr, () => this.#state());
  }

  async run(): Promise<number> {
    // A second signal finds no handler and terminates the process.
    const stop = () => this.#stop.abort();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    const nowMs = Date.now();
    let failure: StartError | undefined;
    try {
      await this.#read();
    } catch (error) {
      if (!(error instanceof StartError) || this.#readers.length === 0) throw error;
      failure = error;
    } finally {
      this.#progress.end();
      process.off('SIGINT', stop).off('SIGTERM', stop);
    }
    const incomplete = failure?.message ?? this.#incomplete;
    if (failure !== undefined) complain(failure.message);
    const report = this.#report(nowMs, incomplete);
    const output = new Output(process.stdout, () => {});
    await output.write(this.#options.json ? reportJson(report) : reportText(report));
    if (failure !== undefined || this.#stop.signal.aborted) return EXIT.failed;
    return this.#stored.tally.failed > 0 ? EXIT.mismatch : EXIT.clean;
  }

  /** Reads both topics up to their present ends. */
  async #read(): Promise<void> {
    const { topic, deadLetters } = this.#target;
    const stored = await this.#storedRange(topic);
    const letters = deadLetters && (await this.#deadLetterRange(deadLetters));
    const readers = [this.#reader(stored, this.#stored)];
    if (letters !== undefined) readers.push(this.#reader(letters, this.#letters));
    this.#readers = readers;
    const topics = letters === undefined ? topic : `${topic} and ${letters.topic}`;
    complain(`reading ${topics} at ${this.#brokers}`);
    this.#progress.begin();
    for (const reader of readers) {
      await reader.read();
      if (this.#stop.signal.aborted) break;
    }
    if (this.#stop.signal.aborted) this.#incomplete = `interrupted, ${this.#offsetsRead()}`;
  }

  #reader(range: TopicRange, check: Check): RangeReader {
    const { limit = Number.POSITIVE_INFINITY } = this.#options;
    const reader: RangeReader = new RangeReader({
      kafka: this.#kafka,
      range,
      say: (line) => this.#say(line),
      signal: this.#stop.signal,
      onRecords: (partition: number, records: readonly KafkaMessage[]) => {
        for (const record of records) {
          if (check.tally.events >= limit) {
            this.#incomplete = `ended by --limit ${limit}`;
            reader.end();
            return;
          }
          check.add(recordOf(partition, record, recordHeaders(record.headers)));
        }
      },
    });
    return reader;
  }

  /** @throws StartError (exit code 1) if Kafka or the topic is unavailable */
  async #storedRange(topic: string): Promise<TopicRange> {
    try {
      return await fetchRange(this.#kafka, topic, this.#options);
    } catch (error) {
      throw new StartError(obstacleText(obstacleOf(error), topic, reasonOf(error)), EXIT.failed);
    }
  }

  /** Undefined = the topic does not exist yet, so there are no dead letters. */
  async #deadLetterRange({ name, topic }: DeadLetterTarget): Promise<TopicRange | undefined> {
    try {
      return await fetchRange(this.#kafka, topic, this.#options);
    } catch (error) {
      const obstacle = obstacleOf(error);
      const text = obstacleText(obstacle, topic, reasonOf(error));
      if (obstacle !== 'missing') throw new StartError(text, EXIT.failed);
      complain(`${text}: stream ${name} has no dead letters`);
      return undefined;
    }
  }

  #report(nowMs: number, incomplete: string | undefined): TryReport {
    const { stream, topic, deadLetters } = this.#target;
    const { from, to = nowMs } = this.#options;
    return {
      schema: this.#schema.name,
      stream,
      from,
      to,
      incomplete,
      stored: { topic, events: this.#stored },
      deadLetters: deadLetters && { ...deadLetters, letters: this.#letters },
    };
  }

  #say(line: string): void {
    this.#progress.around(() => complain(line));
  }

  #state() {
    const { size, position } = this.#extent();
    const { events, failed } = this.#stored.tally;
    const letters = this.#letters.tally.events;
    const ofLetters = letters === 0 ? '' : `, ${letters} dead letters`;
    const text = `${events} events, ${failed} fail${ofLetters}`;
    return { share: size === 0 ? 1 : position / size, text };
  }

  #extent(): { size: number; position: number } {
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    return {
      size: sum(this.#readers.map((reader) => reader.size)),
      position: sum(this.#readers.map((reader) => reader.position)),
    };
  }

  #offsetsRead(): string {
    const { size, position } = this.#extent();
    return `${position} of ${size} offsets read`;
  }
}

/** The command `listen`: prints the events of a topic, and detects repeated and missing ones. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka } from 'kafkajs';
import { complain, EXIT, StartError } from '../../common/errors.ts';
import { type Config, readConfig, unknownSettings } from '../../config/config.ts';
import { kafkaOptions } from '../../kafka/client-options.ts';
import '../../kafka/request-queue.ts';
import { type ListenOptions, parseListenArguments } from './arguments.ts';
import { describeFirst, firstPositions, resumedPositions } from './choose.ts';
import { COLORS, wantsColors } from './colors.ts';
import { listenHelp } from './help.ts';
import { Output } from './output.ts';
import { describe, obstacleOf, reasonOf, TRANSIENT, waitForTopic } from './positions.ts';
import { Printer } from './printer.ts';
import { type Positions, TopicReader } from './reader.ts';
import { chooseTopic, type TopicChoice } from './topic-choice.ts';
import { Verification } from './verification.ts';

const PAUSE_MS = 1_000;
/**
 * Few retries of kafkajs, so that failures are reported and signals obeyed soon; we retry forever.
 */
const RETRY = { retries: 1, initialRetryTime: 100, maxRetryTime: 500 };

/**
 * Runs until it is interrupted (SIGINT, SIGTERM), its output is closed, or `--count` is reached.
 * @param argv arguments after `listen`
 * @returns the exit code: 0, 1 for findings of `--verify` or an unreadable topic, 2 for invalid
 * options or settings
 */
export async function runListen(argv: string[]): Promise<number> {
  try {
    const options = parseListenArguments(argv);
    if (options.help) {
      process.stdout.write(listenHelp());
      return EXIT.clean;
    }
    for (const warning of unknownSettings(process.env)) complain(warning);
    const config = readConfig(process.env);
    const choice = await chooseTopic(config, options, process.env);
    for (const note of choice.notes) complain(note);
    return await new Listen(config, choice, options).run();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    complain(error.message);
    return error.exitCode;
  }
}

class Listen {
  readonly #topic: string;
  readonly #brokers: readonly string[];
  readonly #kafka: Kafka;
  readonly #options: ListenOptions;
  readonly #stop = new AbortController();
  readonly #verification: Verification | undefined;
  readonly #printer: Printer;
  #closed = false;
  #outputError: Error | undefined;

  constructor(config: Config, { topic, idField }: TopicChoice, options: ListenOptions) {
    this.#topic = topic;
    this.#brokers = config.kafkaBrokers;
    this.#kafka = new Kafka({ ...kafkaOptions(config), retry: RETRY });
    this.#options = options;
    const { verify, sequenceField } = options;
    if (verify)
      this.#verification = new Verification({
        idField,
        sequenceField,
        say: complain,
      });
    this.#printer = new Printer({
      options,
      colors: wantsColors(process.env, process.stdout.isTTY) ? COLORS : undefined,
      output: new Output(process.stdout, (error) => this.#outputClosed(error)),
      verification: this.#verification,
      stop: this.#stop,
    });
  }

  async run(): Promise<number> {
    // A second signal finds no handler and terminates the process.
    const stop = () => this.#stop.abort();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      await this.#follow();
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
    }
    const summary = await this.#printer.end();
    if (this.#outputError !== undefined) {
      throw new StartError(`cannot write: ${this.#outputError.message}`, EXIT.failed);
    }
    if (!this.#closed) complain(summary);
    for (const line of this.#verification?.describe() ?? []) complain(line);
    return this.#verification?.clean === false ? EXIT.failed : EXIT.clean;
  }

  #outputClosed(error: Error | undefined): void {
    this.#closed = true;
    this.#outputError ??= error;
    this.#stop.abort();
  }

  /** Reads, and resumes at its position after each failure of Kafka. */
  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined));
    });
    let positions: Positions | undefined;
    while (!signal.aborted) {
      positions = await this.#positions(positions);
      const reader = new TopicReader({
        kafka: this.#kafka,
        topic: this.#topic,
        positions,
        partitions: this.#options.partitions,
        onBatch: (partition, messages) => this.#printer.print(partition, messages),
      });
      this.#printer.begin();
      const failure = await Promise.race([reader.run(), aborted]);
      await reader.stop().catch(() => undefined);
      if (failure !== undefined) await this.#interrupted(failure);
    }
  }

  /** Waits for the topic; returns the positions at which to start or resume. */
  async #positions(before: Positions | undefined): Promise<Positions> {
    const { from, partitions } = this.#options;
    const sinceMs = before === undefined && typeof from === 'number' ? from : undefined;
    const { signal } = this.#stop;
    const topic = this.#topic;
    const bounds = await waitForTopic({
      kafka: this.#kafka,
      topic,
      sinceMs,
      say: complain,
      signal,
    });
    if (before !== undefined) {
      complain(`resumed reading ${topic}`);
      return resumedPositions(bounds, this.#options, before);
    }
    // A topic that did not exist at the start is all new: none of its events are skipped.
    const wanted = { from: bounds.appeared ? 'beginning' : from, partitions } as const;
    const first = firstPositions(bounds, wanted);
    const source = { topic, brokers: this.#brokers };
    for (const line of describeFirst(source, bounds, wanted)) complain(line);
    return first;
  }

  /** Reports the failure, and pauses before the next attempt. */
  async #interrupted(failure: Error): Promise<void> {
    const obstacle = obstacleOf(failure);
    const reason = reasonOf(failure);
    if (!TRANSIENT.has(obstacle)) {
      throw new StartError(describe(obstacle, this.#topic, reason), EXIT.failed);
    }
    const why = obstacle === 'uncoordinated' ? describe(obstacle, this.#topic, reason) : reason;
    complain(`reading interrupted (${why})`);
    await sleep(PAUSE_MS, undefined, { signal: this.#stop.signal });
  }
}

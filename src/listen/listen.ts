/** The command `listen`: prints what is in the topic, and finds repeats. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Kafka, type KafkaMessage } from 'kafkajs';
import { type Config, readConfig, unknownSettings } from '../config.ts';
import { EXIT, StartError } from '../errors.ts';
import { kafkaOptions } from '../kafka.ts';
import { type ListenOptions, listenHelp, parseListenArguments } from './arguments.ts';
import { jsonLine, type ListenedRecord, plainLine } from './format.ts';
import { Output } from './output.ts';
import { type Bounds, obstacleOf, reasonOf, waitForTopic } from './positions.ts';
import { type Positions, TopicReader } from './reader.ts';
import { Repeats } from './repeats.ts';

/** Text handed to the output at once: a terminal shows it soon, a pipe takes it cheaply. */
const CHUNK_LENGTH = 64 * 1024;
const PAUSE_MS = 1_000;
/** kafkajs gives up soon, so that we can say what is wrong and end when asked; we try for ever. */
const RETRY = { retries: 1, initialRetryTime: 100, maxRetryTime: 500 };

/**
 * Runs until it is interrupted (SIGINT, SIGTERM), its output is closed, or `--count` is reached.
 * @param argv the arguments after `listen`
 * @returns the exit code: 0, 1 for repeats found by `--verify` or what cannot be read, 2 for wrong
 * options or settings
 */
export async function runListen(argv: string[]): Promise<number> {
  try {
    const options = parseListenArguments(argv);
    if (options.help) {
      process.stdout.write(listenHelp());
      return EXIT.clean;
    }
    for (const warning of unknownSettings(process.env)) say(warning);
    return await new Listening(readConfig(process.env), options).run();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    say(error.message);
    return error.exitCode;
  }
}

function say(line: string): void {
  process.stderr.write(`forebay: ${line}\n`);
}

class Listening {
  readonly #topic: string;
  readonly #kafka: Kafka;
  readonly #options: ListenOptions;
  readonly #repeats: Repeats;
  readonly #stop = new AbortController();
  readonly #output: Output;
  #outputError: Error | undefined;
  #printed = 0;

  constructor(config: Config, options: ListenOptions) {
    this.#topic = config.kafkaTopic;
    this.#kafka = new Kafka({ ...kafkaOptions(config), retry: RETRY });
    this.#options = options;
    this.#repeats = new Repeats(config.idField);
    this.#output = new Output(process.stdout, (error) => {
      this.#outputError ??= error;
      this.#stop.abort();
    });
  }

  async run(): Promise<number> {
    // A second signal finds no handler and ends the process at once.
    const stop = () => this.#stop.abort();
    process.once('SIGINT', stop).once('SIGTERM', stop);
    try {
      await this.#follow();
    } catch (error) {
      if (!this.#stop.signal.aborted) throw error;
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop);
    }
    if (this.#outputError !== undefined) {
      throw new StartError(`cannot write: ${this.#outputError.message}`, EXIT.failed);
    }
    if (!this.#options.verify) return EXIT.clean;
    say(this.#repeats.describe());
    return this.#repeats.summary.repeats > 0 ? EXIT.failed : EXIT.clean;
  }

  /** Reads, and goes on where it was each time that Kafka went away. */
  async #follow(): Promise<void> {
    const { signal } = this.#stop;
    const aborted = new Promise<undefined>((resolve) => {
      signal.addEventListener('abort', () => resolve(undefined));
    });
    let positions: Positions | undefined;
    while (!signal.aborted) {
      const bounds = await waitForTopic(this.#kafka, this.#topic, say, signal);
      positions = positions === undefined ? this.#first(bounds) : resumed(positions, bounds);
      const reader = new TopicReader({
        kafka: this.#kafka,
        topic: this.#topic,
        positions,
        onBatch: (partition, records) => this.#print(partition, records),
      });
      say(`reading ${this.#topic}, ${bounds.high.size} partitions`);
      const failure = await Promise.race([reader.run(), aborted]);
      await reader.stop().catch(() => undefined);
      if (failure !== undefined) await this.#interrupted(failure);
    }
  }

  /** Says why reading stopped, and lets Kafka rest a little before the next try. */
  async #interrupted(failure: Error): Promise<void> {
    const line = `reading was interrupted (${reasonOf(failure)})`;
    const obstacle = obstacleOf(failure);
    if (obstacle === 'denied' || obstacle === 'login') throw new StartError(line, EXIT.failed);
    say(line);
    await sleep(PAUSE_MS, undefined, { signal: this.#stop.signal });
  }

  /** A topic that was not there when we came is all new: its first events are not skipped. */
  #first({ low, high, appeared }: Bounds & { appeared: boolean }): Positions {
    return this.#options.from === 'beginning' || appeared ? low : high;
  }

  async #print(partition: number, messages: KafkaMessage[]): Promise<void> {
    const { json, verify, count = Number.POSITIVE_INFINITY } = this.#options;
    let text = '';
    for (const message of messages) {
      if (this.#stop.signal.aborted) return;
      const record = recordOf(partition, message);
      text += json ? jsonLine(record) : plainLine(record);
      const repeated = verify ? this.#repeats.look(record.value) : undefined;
      if (repeated !== undefined) {
        say(`repeat of ${repeated} at partition ${partition} offset ${record.offset}`);
      }
      this.#printed++;
      if (text.length >= CHUNK_LENGTH || this.#printed >= count) {
        await this.#output.write(text);
        text = '';
      }
      if (this.#printed >= count) this.#stop.abort();
    }
    if (text !== '') await this.#output.write(text);
  }
}

/** Where to go on: a topic that was deleted and made again is read from its new beginning. */
function resumed(positions: Positions, { low, high }: Bounds): Positions {
  return new Map(
    [...low].map(([partition, first]) => {
      const at = positions.get(partition) ?? 0n;
      const exists = at >= first && at <= (high.get(partition) ?? 0n);
      return [partition, exists ? at : first];
    }),
  );
}

function recordOf(partition: number, message: KafkaMessage): ListenedRecord {
  const { offset, timestamp, key, value } = message;
  return { partition, offset: BigInt(offset), timestamp: Number(timestamp), key, value };
}

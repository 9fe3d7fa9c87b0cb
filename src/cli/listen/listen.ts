/** The command `listen`: prints the events of a topic, and detects repeated and missing ones. */
import { complain, EXIT, StartError } from '../../common/errors.ts';
import { readConfig, unknownSettings } from '../../config/config.ts';
import { type ListenOptions, parseListenArguments } from './arguments.ts';
import { COLORS, wantsColors } from './colors.ts';
import { listenHelp } from './help.ts';
import { KafkaSource } from './kafka-source.ts';
import { MicroSource } from './micro-source.ts';
import { Output } from './output.ts';
import { Printer } from './printer.ts';
import type { Source } from './source.ts';
import { chooseTopic } from './topic-choice.ts';
import { Verification } from './verification.ts';

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
    if (options.micro !== undefined) {
      const source = new MicroSource(options.micro, config, options);
      return await new Listen(source, config.idField, options).run();
    }
    const { topic, idField, notes } = await chooseTopic(config, options, process.env);
    for (const note of notes) complain(note);
    return await new Listen(new KafkaSource(topic, config, options), idField, options).run();
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    complain(error.message);
    return error.exitCode;
  }
}

class Listen {
  readonly #source: Source;
  readonly #stop = new AbortController();
  readonly #verification: Verification | undefined;
  readonly #printer: Printer;
  #closed = false;
  #outputError: Error | undefined;

  /** @param idField path of the field with the id of an event */
  constructor(source: Source, idField: string, options: ListenOptions) {
    this.#source = source;
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
      await this.#source.follow(this.#printer, this.#stop.signal);
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
}

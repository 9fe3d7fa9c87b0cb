/** The topics that `schema try` reads, and the schema that it compares with. */
import { StartError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import type { Validator } from '../../worker/intake/validator.ts';
import { type LoadedSchema, loadSchema, loadStreamSchema } from './schema-source.ts';
import { type ChosenStream, chooseStream } from './stream.ts';
import type { TryOptions } from './try-arguments.ts';

export interface TryTarget {
  /** Undefined = the one topic of an installation without a stream file. */
  readonly stream: string | undefined;
  readonly topic: string;
  /** Schema of the gateway; undefined = not known. */
  readonly current: Validator | undefined;
  /** Other streams with the same topic. */
  readonly otherStreams: ReadonlySet<string>;
  readonly deadLetters: DeadLetterTarget | undefined;
  /** Lines about the choice. */
  readonly notes: readonly string[];
}

export interface DeadLetterTarget {
  /** Internal stream. */
  readonly name: string;
  readonly topic: string;
}

type Chosen = Pick<TryOptions, 'stream' | 'streamsFile' | 'topic'>;

/** @throws StartError (exit code 2) if the stream file is invalid, or the choice is */
export async function chooseTarget(config: Config, chosen: Chosen): Promise<TryTarget> {
  const { topic, stream, streamsFile } = chosen;
  const hasFile = (streamsFile ?? config.streamsFile) !== undefined;
  if (topic === undefined && (hasFile || stream !== undefined)) {
    return streamTarget(config, await chooseStream(config, chosen));
  }
  const none = { stream: undefined, otherStreams: new Set<string>(), deadLetters: undefined };
  const target = { ...none, topic: topic ?? config.kafkaTopic };
  // With a stream file, any stream may write to the topic of `--topic`.
  if (hasFile) return { ...target, current: undefined, notes: [] };
  const { eventSchema } = config;
  if (eventSchema !== undefined) {
    return { ...target, ...(await currentSchema(() => loadSchema(eventSchema))) };
  }
  const { loadValidator } = await import('../../worker/intake/validator.ts');
  return { ...target, current: loadValidator(undefined), notes: [] };
}

async function streamTarget(
  config: Config,
  { path, file, stream }: ChosenStream,
): Promise<TryTarget> {
  const { name, topic, schema, deadLetter } = stream;
  const others = file.streams.filter((other) => other.topic === topic && other !== stream);
  const otherStreams = new Set(others.map((other) => other.name));
  const target = file.streams.find((other) => other.name === deadLetter);
  const deadLetters = target && { name: target.name, topic: target.topic };
  const { current, notes } =
    schema === undefined || schema.mode === 'off'
      ? { current: () => undefined, notes: [] }
      : await currentSchema(() => loadStreamSchema(config, path, schema));
  const sharing =
    others.length === 0
      ? []
      : [
          `${topic} also has the events of ${[...otherStreams].join(', ')}: those without the ` +
            'header fb-stream are checked too',
        ];
  return { stream: name, topic, current, otherStreams, deadLetters, notes: [...notes, ...sharing] };
}

/** Loads the schema of the gateway, for the comparison only: without it there is none. */
async function currentSchema(
  load: () => Promise<LoadedSchema>,
): Promise<Pick<TryTarget, 'current' | 'notes'>> {
  try {
    const { validate, warnings } = await load();
    return { current: validate, notes: warnings.map((warning) => `current schema: ${warning}`) };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return { current: undefined, notes: [`no comparison with the current ${error.message}`] };
  }
}

/** The topic that `listen` reads: that of an option, of KAFKA_TOPIC or of the stream file. */
import { EXIT, StartError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import type { Config } from '../../config/config.ts';
import { SETTINGS } from '../../config/settings.ts';
import type { StreamSpec } from '../../streams/stream-file.ts';
import { readStreams, streamNamed } from '../stream-choice.ts';
import type { ListenOptions } from './arguments.ts';

export interface TopicChoice {
  readonly topic: string;
  /** Path of the field with the id of an event, in names joined by dots. */
  readonly idField: string;
  /** Lines about the choice. */
  readonly notes: readonly string[];
}

type Chosen = Pick<ListenOptions, 'topic' | 'stream' | 'sequenceField'>;

/**
 * Chooses the topic: `--topic`, `--stream`, KAFKA_TOPIC, the only topic of the stream file, or,
 * without such a file, the default of KAFKA_TOPIC.
 * @param env environment of `config`: it tells whether KAFKA_TOPIC is set
 * @throws StartError (exit code 2) if the stream does not exist, the choice is ambiguous, or the
 * stream file is invalid
 */
export async function chooseTopic(
  config: Config,
  { topic, stream, sequenceField }: Chosen,
  env: NodeJS.ProcessEnv,
): Promise<TopicChoice> {
  const { streamsFile, kafkaTopic, idField } = config;
  const topicEnv = SETTINGS.kafkaTopic.env;
  const path = streamsFile === undefined ? undefined : printable(streamsFile);
  if (topic !== undefined) return { topic, idField, notes: [] };
  if (stream === undefined && (streamsFile === undefined || env[topicEnv])) {
    const notes = path === undefined ? [] : [`${topicEnv} is set: ignoring the streams of ${path}`];
    return { topic: kafkaTopic, idField, notes };
  }
  if (streamsFile === undefined) {
    throw invalid(`--stream requires a stream file: set ${SETTINGS.streamsFile.env}`);
  }
  const { streams } = await readStreams(config, streamsFile);
  const topics = [...new Set(streams.map((spec) => spec.topic))];
  const [only, ...others] = topics;
  if (stream === undefined && only !== undefined && others.length === 0) {
    const notes = [`${path} has one topic, ${only}`];
    return { topic: only, idField: commonIdField(streams) ?? idField, notes };
  }
  const names = streams.map(({ name }) => name).join(', ');
  if (stream === undefined) {
    throw invalid(`${path} has ${topics.length} topics: choose a stream with --stream (${names})`);
  }
  const found = streamNamed(stream, streams, path ?? '', invalid);
  if (sequenceField !== undefined && found.key.length === 0) {
    throw invalid(`--sequence-field requires a record key, and stream ${stream} has none`);
  }
  return { topic: found.topic, idField: idFieldOf(found), notes: notesOf(found, streams) };
}

function idFieldOf({ record }: StreamSpec): string {
  return record.idField.join('.');
}

/** Returns the id field of the streams; undefined if they have several. */
function commonIdField(streams: readonly StreamSpec[]): string | undefined {
  const [field, ...others] = new Set(streams.map(idFieldOf));
  return others.length === 0 ? field : undefined;
}

/** Names the record key of the stream, and other streams whose events are in the same topic. */
function notesOf({ name, topic, key }: StreamSpec, streams: readonly StreamSpec[]): string[] {
  const fields = printable(key.map((path) => path.join('.')).join('|'));
  const notes = [`stream ${name}: ${key.length === 0 ? 'no record key' : `record key ${fields}`}`];
  const others = streams.filter((other) => other.topic === topic && other.name !== name);
  if (others.length > 0) {
    notes.push(`${topic} also has the events of ${others.map((other) => other.name).join(', ')}`);
  }
  return notes;
}

function invalid(message: string): StartError {
  return new StartError(`listen: ${message}`, EXIT.configuration);
}

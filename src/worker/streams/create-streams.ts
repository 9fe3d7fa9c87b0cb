import assert from 'node:assert/strict';
import { SETTINGS } from '../../config/settings.ts';
import type { Counters } from '../../metrics/counters.ts';
import type { StreamFile, StreamSpec } from '../../streams/stream-file.ts';
import type { Budget } from '../accumulator/budget.ts';
import { BudgetShare } from '../accumulator/budget-share.ts';
import { Topic } from '../accumulator/topic.ts';
import type { FastProfile } from '../decoder/json/fast-validator.ts';
import type { Faults } from '../faults.ts';
import { KeylessEvents } from '../intake/keyless-events.ts';
import { BUILT_IN_FIELDS, loadValidator, type Validator } from '../intake/validator.ts';
import { Stream } from './stream.ts';
import { StreamTable } from './stream-table.ts';

/** Streams to create, and what they share. */
export interface StreamDeclarations {
  readonly file: StreamFile;
  /** `file` was read from a stream file; otherwise it has the stream of the settings. */
  readonly areDeclared: boolean;
  /** Replaces the schemas, in tests. */
  readonly validate?: Validator | undefined;
}

/** The part of a stream on which its topic depends. */
export type TopicUser = Pick<StreamSpec, 'topic' | 'required'> & {
  readonly limits: Pick<StreamSpec['limits'], 'bufferShare'>;
};

/** Validates nothing: every object is valid. */
const ACCEPT: Validator = () => undefined;

/**
 * Creates the streams of a worker.
 * @param buffer has the topics of all streams
 * @param maxEventBytes maximum bytes of an event of any stream
 * @throws StartError if a schema is not usable
 */
export function createStreams(
  { file, areDeclared, validate }: StreamDeclarations,
  { budget, topics }: { readonly budget: Budget; readonly topics: readonly Topic[] },
  maxEventBytes: number,
  { counters, faults }: { readonly counters: Counters; readonly faults: Faults },
): StreamTable {
  const setting = (areDeclared ? SETTINGS.streamsFile : SETTINGS.eventSchema).env;
  const streams = file.streams.map((spec) => {
    const topic = topics.find(({ name }) => name === spec.topic);
    assert(topic !== undefined, 'each stream has its topic');
    const hasNoSchema = areDeclared && spec.schemaFile === undefined;
    const keyNames = spec.key.map((path) => path.join('.')).join(', ');
    const streamName = areDeclared ? spec.name : undefined;
    return new Stream(spec, {
      topic,
      validate: validate ?? (hasNoSchema ? ACCEPT : loadValidator(spec.schemaFile, setting)),
      fastProfile: fastProfileOf(spec, areDeclared),
      keyless: new KeylessEvents(keyNames, counters, faults, streamName),
      maxEventBytes,
    });
  });
  return new StreamTable(file, streams, areDeclared, budget);
}

/** Room for an event of maximum size: in a batch of twice its size, with overhead. */
const EVENT_ROOM = 4;

/** Creates the topics of streams, each with the largest share that one of its streams has. */
export function createTopics(
  streams: readonly TopicUser[],
  budget: Budget,
  maxEventBytes: number,
): Topic[] {
  const names = [...new Set(streams.map(({ topic }) => topic))];
  return names.map((name) => {
    const users = streams.filter(({ topic }) => topic === name);
    const fraction = Math.max(...users.map(({ limits }) => limits.bufferShare));
    const usesWholeBudget = names.length === 1 && fraction === 1;
    const share = usesWholeBudget
      ? undefined
      : new BudgetShare(budget, fraction, EVENT_ROOM * maxEventBytes);
    return new Topic(
      name,
      share,
      users.some(({ required }) => required),
    );
  });
}

/** Events that need a value are parsed: to check them against a schema, or to join their key. */
function fastProfileOf(
  { schemaFile, key }: StreamSpec,
  areDeclared: boolean,
): FastProfile | undefined {
  if (schemaFile !== undefined || key.length > 1) return undefined;
  return { required: areDeclared ? {} : BUILT_IN_FIELDS, keyField: key[0]?.join('.') };
}

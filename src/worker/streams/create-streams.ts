import assert from 'node:assert/strict';
import { SETTINGS } from '../../config/settings.ts';
import type { Counters } from '../../metrics/counters.ts';
import type { StreamFile, StreamSpec } from '../../streams/stream-file.ts';
import type { Topic } from '../accumulator/topic.ts';
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

/** Validates nothing: every object is valid. */
const ACCEPT: Validator = () => undefined;

/**
 * Creates the streams of a worker.
 * @param topics the topics of all streams
 * @param maxEventBytes maximum bytes of an event of any stream
 * @throws StartError if a schema is not usable
 */
export function createStreams(
  { file, areDeclared, validate }: StreamDeclarations,
  topics: readonly Topic[],
  maxEventBytes: number,
  { counters, faults }: { readonly counters: Counters; readonly faults: Faults },
): StreamTable {
  const setting = (areDeclared ? SETTINGS.streamsFile : SETTINGS.eventSchema).env;
  const streams = file.streams.map((spec) => {
    const topic = topics.find(({ name }) => name === spec.topic);
    assert(topic !== undefined, 'each stream has its topic');
    const hasNoSchema = areDeclared && spec.schemaFile === undefined;
    const keyNames = spec.key.map((path) => path.join('.')).join(', ');
    return new Stream(spec, {
      topic,
      validate: validate ?? (hasNoSchema ? ACCEPT : loadValidator(spec.schemaFile, setting)),
      fastProfile: fastProfileOf(spec, areDeclared),
      keyless: new KeylessEvents(keyNames, counters, faults),
      maxEventBytes,
    });
  });
  return new StreamTable(file, streams, areDeclared);
}

/** Events that need a value are parsed: to check them against a schema, or to join their key. */
function fastProfileOf(
  { schemaFile, key }: StreamSpec,
  areDeclared: boolean,
): FastProfile | undefined {
  if (schemaFile !== undefined || key.length > 1) return undefined;
  return { required: areDeclared ? {} : BUILT_IN_FIELDS, keyField: key[0]?.join('.') };
}

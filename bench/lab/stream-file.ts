/** Stream files of the gateways under test. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SETTINGS } from '../../src/config/settings.ts';
import type { HeaderName } from '../../src/streams/stream-file.ts';
import { KINDS, kindSchema, ROUTING_FIELD } from '../load/kinds.ts';
import { streamName } from '../load/messages.ts';

export interface StreamsSpec {
  /** Number of streams that clients name in their paths, without schemas. */
  readonly named?: number | undefined;
  /** Streams of the body `mixed`, selected by its routing field, with or without its schemas. */
  readonly routed?: 'schemas' | 'any' | undefined;
  /** Record headers of all streams; default: none. */
  readonly headers?: readonly HeaderName[] | undefined;
}

/**
 * Writes a stream file, and the schemas that it names, into a folder.
 * @param topic start of the names of its topics
 * @returns its path, and the topics of its streams
 */
export function writeStreamFile(
  folder: string,
  topic: string,
  { named = 0, routed, headers = [] }: StreamsSpec,
): { path: string; topics: string[] } {
  const names = Array.from({ length: routed ? KINDS : named }, (_, index) => streamName(index));
  const streams = names.map((name, index) => {
    const match = routed && { match: [name] };
    const schema = routed === 'schemas' && { schema: { file: `${name}.json` } };
    if (schema) writeFileSync(join(folder, schema.schema.file), JSON.stringify(kindSchema(index)));
    return [name, { topic: `${topic}.${name}`, create: {}, ...match, ...schema }] as const;
  });
  const key = { field: SETTINGS.keyField.defaultValue() };
  const path = join(folder, 'streams.json');
  const file = {
    version: 1,
    ...(routed && { routing: { field: ROUTING_FIELD, unknown: 'refuse' } }),
    defaults: { key, headers },
    streams: Object.fromEntries(streams),
  };
  writeFileSync(path, JSON.stringify(file));
  return { path, topics: streams.map(([, spec]) => spec.topic) };
}

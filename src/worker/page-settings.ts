/** Facts about a worker for the test page. */
import { readFileSync } from 'node:fs';
import type { JsonObject } from '../common/json-object.ts';
import type { Config } from '../config/config.ts';
import type { SchemaSource } from '../streams/stream-file.ts';
import type { Example } from './example/example.ts';
import type { PageSettings, PageStream } from './ingress/http/page-response.ts';
import { BUILT_IN_SCHEMA } from './intake/validator.ts';
import type { ActiveStreams } from './streams/active-streams.ts';
import type { Stream } from './streams/stream.ts';

/** Schema of streams without one: any object. */
const ANY_OBJECT: JsonObject = { type: 'object' };

/**
 * @param active streams that the page may choose from
 * @param outage the current outage of Kafka
 */
export function pageSettings(
  config: Config,
  active: ActiveStreams,
  outage: PageSettings['outage'],
): PageSettings {
  const { kafkaBrokers: brokers } = config;
  const { areDeclared } = active;
  const withoutSchema = areDeclared ? ANY_OBJECT : BUILT_IN_SCHEMA;
  const known = new WeakMap<Stream, PageStream>();
  const pageStreamOf = (stream: Stream) => {
    const found = known.get(stream) ?? pageStream(stream, withoutSchema);
    known.set(stream, found);
    return found;
  };
  // The schema file may change later, while the worker keeps the content that it read at its start.
  active.table.streams.forEach(pageStreamOf);
  return {
    brokers,
    get streams() {
      return active.table.streams.map(pageStreamOf);
    },
    areDeclared,
    outage,
  };
}

/** @param withoutSchema schema of the events if the stream has none */
function pageStream(stream: Stream, withoutSchema: JsonObject): PageStream {
  const { name, spec, matchesSchema: validate, maxEventBytes } = stream;
  const { topic, key, record, schema: source } = spec;
  const schemaText = source && textOf(source);
  const keyFields = key.map((path) => path.join('.'));
  const idField = record.idField.join('.');
  let example: Promise<Example> | undefined;
  const make = async () => {
    const own = schemaText === undefined ? undefined : (JSON.parse(schemaText) as JsonObject);
    const schema = own ?? withoutSchema;
    // Loaded on demand, so that it does not delay the start.
    const { exampleOf } = await import('./example/example.ts');
    return exampleOf({ schema, validate, keyFields, idField, maxEventBytes });
  };
  return {
    name,
    topic,
    keyField: keyFields.join(', '),
    idField,
    permits: (sender) => stream.rejectionOf(sender) === undefined,
    example: () => {
      example ??= make();
      return example;
    },
  };
}

function textOf({ file, text }: SchemaSource): string {
  if (text !== undefined) return text;
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // The file was just removed: the example is generated without it, and still validated.
    return '{}';
  }
}

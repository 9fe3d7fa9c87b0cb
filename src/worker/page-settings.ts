/** Facts about a worker for the test page. */
import { readFileSync } from 'node:fs';
import type { JsonObject } from '../common/json-object.ts';
import type { Config } from '../config/config.ts';
import type { Example } from './example/example.ts';
import type { PageSettings } from './ingress/http/page-response.ts';
import { BUILT_IN_SCHEMA, type Validator } from './intake/validator.ts';

/**
 * @param validate the active validator, which an example has to pass
 * @param outage the current outage of Kafka
 */
export function pageSettings(
  config: Config,
  validate: Validator,
  outage: PageSettings['outage'],
): PageSettings {
  const { kafkaTopic: topic, kafkaBrokers: brokers, keyField, idField } = config;
  const { eventSchema, maxFrameBytes: maxEventBytes } = config;
  const schemaText = eventSchema === undefined ? undefined : textOf(eventSchema);
  let example: Promise<Example> | undefined;
  const make = async () => {
    const own = schemaText === undefined ? undefined : (JSON.parse(schemaText) as JsonObject);
    const schema = own ?? BUILT_IN_SCHEMA;
    // Loaded on demand, so that it does not delay the start.
    const { exampleOf } = await import('./example/example.ts');
    return exampleOf({ schema, validate, keyField, idField, maxEventBytes });
  };
  return {
    topic,
    brokers,
    keyField,
    idField,
    outage,
    example: () => {
      example ??= make();
      return example;
    },
  };
}

/** Returns the schema text that the worker read at its start: the active one. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The file was just removed: the example is generated without it, and still validated.
    return '{}';
  }
}

/** Facts of a worker for the test page. */
import { readFileSync } from 'node:fs';
import type { JsonObject } from '../common/json-object.ts';
import type { Config } from '../config/config.ts';
import type { Example } from './example/example.ts';
import type { PageSettings } from './ingress/http/page-response.ts';
import { BUILT_IN_SCHEMA, type Validator } from './intake/validator.ts';

/**
 * @param validate the validator in force: an example is what it takes
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
    // Loaded when a page asks: it would only delay the start.
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

/** Text of the schema as the worker found it at its start: that one is in force. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It was taken away just now: an example is made without it, and checked all the same.
    return '{}';
  }
}

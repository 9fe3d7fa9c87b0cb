/** Fast validators for tests. */
import type { JsonObject } from '../../src/common/json-object.ts';
import { createFastValidator } from '../../src/worker/decoder/kernel/create-fast-validator.ts';
import type { FastValidator } from '../../src/worker/decoder/kernel/fast-validator.ts';
import type { Profile, RecordFields } from '../../src/worker/decoder/kernel/plan.ts';
import { compileSchema } from '../../src/worker/intake/compile-schema.ts';
import { BUILT_IN_SCHEMA } from '../../src/worker/intake/validator.ts';
import { planEvents } from '../../src/worker/schema-plan/plan-events.ts';

/** Returns the profile of events with a schema; undefined = all of them are undecided. */
export function profileOf(
  fields: RecordFields,
  schema: JsonObject = BUILT_IN_SCHEMA,
): Profile | undefined {
  return planEvents(compileSchema(JSON.stringify(schema)), fields).event;
}

const builtIn = new Map<string, FastValidator>();

/** Returns a fast validator of the events of the built-in schema. */
export function builtInValidator(keyField: string): FastValidator {
  let validator = builtIn.get(keyField);
  validator ??= createFastValidator(profileOf({ key: [keyField] })!);
  builtIn.set(keyField, validator);
  return validator;
}

/**
 * Validates events against a JSON Schema, compiled once at startup. Validation changes nothing: no
 * coercion, no defaults.
 */
import { Ajv, type ValidateFunction } from 'ajv';
import { boundedMessage, EXIT, StartError } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { SETTINGS } from '../../config/settings.ts';
import type { SchemaSource } from '../../streams/stream-file.ts';
import { type CompiledSchema, compileSchema, inFile, readSchema } from './compile-schema.ts';
import { draftOf, OPTIONS } from './drafts.ts';
import { explain } from './explain.ts';
import { WorkExceeded, type WorkLimit } from './work-limit.ts';

const EVENT_SCHEMA = SETTINGS.eventSchema.env;

/** Returns undefined for a valid event, otherwise the problem: `/timestamp must be integer`. */
export type Validator = (event: JsonObject) => string | undefined;

/** Required fields of the built-in schema, with their types. */
export const BUILT_IN_FIELDS: Readonly<Record<string, string>> = {
  msg: 'string',
  clientId: 'string',
  timestamp: 'integer',
};
export const BUILT_IN_SCHEMA: JsonObject = {
  type: 'object',
  required: Object.keys(BUILT_IN_FIELDS),
  properties: Object.fromEntries(
    Object.entries(BUILT_IN_FIELDS).map(([name, type]) => [name, { type }]),
  ),
};

/** A schema in use. */
export interface LoadedSchema {
  readonly validate: Validator;
  readonly compiled: Pick<CompiledSchema, 'schema' | 'compiler' | 'validate'>;
}

/** {@link loadSchema} for its validator alone. */
export function loadValidator(
  schemaPath: string | undefined,
  setting?: string,
  text?: string,
): Validator {
  return loadSchema(schemaPath, setting, text).validate;
}

/**
 * Compiles the schema in the file `schemaPath`, or the built-in one without a path.
 * @param setting that names the file, directly or by another file
 * @param text content of the file; undefined = it is read
 * @throws StartError (exit code 2) with one line if the file is not a usable schema
 */
export function loadSchema(
  schemaPath: string | undefined,
  setting: string = EVENT_SCHEMA,
  text?: string,
): LoadedSchema {
  if (schemaPath === undefined) {
    // Skips the check against the metaschema, which takes longer than everything else.
    const compiler = new Ajv({ ...OPTIONS, meta: false, validateSchema: false });
    const schema = BUILT_IN_SCHEMA;
    const validate = compiler.compile(schema);
    return { validate: validatorOf(validate, schema), compiled: { schema, compiler, validate } };
  }
  const compiled = compileSetting(schemaPath, setting, text);
  const { validate, schema, work } = compiled;
  return { validate: validatorOf(validate, schema, work), compiled };
}

/**
 * Returns the schema of a stream's events with the `$schema` that applies: that of the file, the
 * built-in one, or for a stream without a schema one of any object.
 * @param isDeclared whether a stream file declares the stream
 * @throws StartError as {@link loadValidator}
 */
export function readStreamSchema(
  source: SchemaSource | undefined,
  isDeclared: boolean,
): JsonObject {
  if (source !== undefined) return compileSetting(source.file, EVENT_SCHEMA, source.text).schema;
  const schema = isDeclared ? { type: 'object' } : BUILT_IN_SCHEMA;
  return { $schema: draftOf(undefined)?.id, ...schema };
}

/** @throws StartError that names the setting */
function compileSetting(path: string, setting: string, text?: string): CompiledSchema {
  try {
    return compileSchema(text ?? readSchema(path));
  } catch (error) {
    throw new StartError(inFile(setting, path, (error as Error).message), EXIT.configuration);
  }
}

/**
 * @param schema the whole schema, for messages
 * @param work limit of `validate`; undefined = its work is proportional to the event
 */
function validatorOf(validate: ValidateFunction, schema: JsonObject, work?: WorkLimit): Validator {
  return (event) => {
    try {
      work?.begin();
      return validate(event) ? undefined : boundedMessage(explain(validate.errors ?? [], schema));
    } catch (error) {
      // A recursive schema follows the nesting of the event by recursion.
      if (error instanceof RangeError) return 'nested too deeply to validate';
      if (error instanceof WorkExceeded) return error.message;
      // A defect of the code that ajv generates for rare combinations of keywords.
      if (error instanceof TypeError) return 'cannot be validated by the schema';
      throw error;
    }
  };
}

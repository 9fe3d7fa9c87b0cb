/**
 * Validates events against a JSON Schema, compiled once at startup. Validation changes nothing: no
 * coercion, no defaults.
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { boundedMessage, EXIT, StartError, systemReason } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { textOf } from '../../config/secret-files.ts';
import { SETTINGS } from '../../config/settings.ts';
import { FastValidator, type RequiredFields } from '../decoder/json/fast-validator.ts';
import { type Compiler, DRAFTS, type Draft, draftOf, OPTIONS } from './drafts.ts';
import { explain, explainSchema } from './explain.ts';
import { ignoredParts } from './ignored-parts.ts';
import { obstacleToObjects } from './unmatchable.ts';

/** Returns undefined for a valid event, otherwise the problem: `/timestamp must be integer`. */
export type Validator = (event: JsonObject) => string | undefined;

/** Required fields of the built-in schema. */
export const BUILT_IN_FIELDS: RequiredFields = {
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

/**
 * Compiles the schema in the file `schemaPath`, or the built-in one without a path.
 * @throws StartError (exit code 2) with one line if the file is not a usable schema
 */
export function loadValidator(schemaPath: string | undefined): Validator {
  if (schemaPath === undefined) {
    // Skips the check against the metaschema, which takes longer than everything else.
    const ajv = new Ajv({ ...OPTIONS, meta: false, validateSchema: false });
    return validatorOf(ajv.compile(BUILT_IN_SCHEMA), BUILT_IN_SCHEMA);
  }
  const { validate, schema } = compile(schemaPath);
  return validatorOf(validate, schema);
}

/** Warnings about a usable schema, one line each. */
export interface SchemaWarnings {
  /** Parts without effect. */
  readonly ignored: readonly string[];
  /** Reason why no event can match: one line, or none. */
  readonly unmatchable: readonly string[];
}

/**
 * Compiles the schema in the file `schemaPath`, as {@link loadValidator} does.
 * @throws StartError as {@link loadValidator}
 */
export function checkSchema(schemaPath: string): SchemaWarnings {
  const { schema, draft, compiler } = compile(schemaPath);
  const lines = (texts: readonly string[]) => texts.map((text) => inFile(schemaPath, text));
  const obstacle = obstacleToObjects(schema, compiler);
  return {
    ignored: lines(ignoredParts(schema, draft, compiler)),
    unmatchable: lines(obstacle ? [`${obstacle}: no event can match the schema`] : []),
  };
}

interface Compiled {
  readonly schema: JsonObject;
  readonly draft: Draft;
  readonly compiler: Compiler;
  readonly validate: ValidateFunction;
}

function compile(path: string): Compiled {
  const read = readSchema(path);
  const draft = draftOf(read.$schema);
  if (draft === undefined) {
    const supported = DRAFTS.map(({ id }) => id).join(', ');
    const found = JSON.stringify(read.$schema);
    throw schemaError(path, `has an unsupported $schema, ${found}; supported: ${supported}`);
  }
  const schema = { ...read, $schema: draft.id };
  const compiler = draft.create();
  let validate: ValidateFunction;
  try {
    if (compiler.validateSchema(schema) === false) {
      const problem = explainSchema(compiler.errors ?? []);
      throw schemaError(path, `is not a valid schema of ${draft.name}: ${problem}`);
    }
    validate = compiler.compile(schema);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw schemaError(path, `cannot be compiled: ${(error as Error).message}`);
  }
  // An asynchronous validator returns a promise, which is truthy: every event would be valid.
  if ('$async' in validate) throw schemaError(path, 'is asynchronous ($async)');
  return { schema, draft, compiler, validate };
}

/**
 * Creates the fast validator of a schema: only the built-in one has one.
 * @param keyField the field with the key
 */
export function loadFastValidator(
  schemaPath: string | undefined,
  keyField: string,
): FastValidator | undefined {
  return schemaPath === undefined ? new FastValidator(BUILT_IN_FIELDS, keyField) : undefined;
}

function readSchema(path: string): JsonObject {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw schemaError(path, `cannot be read: ${systemReason(error)}`);
  }
  let schema: unknown;
  try {
    schema = JSON.parse(textOf(bytes));
  } catch (error) {
    const { message } = error as Error;
    throw schemaError(
      path,
      error instanceof SyntaxError ? `is not valid JSON: ${message}` : message,
    );
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw schemaError(path, 'must contain a JSON object');
  }
  return schema as JsonObject;
}

function schemaError(path: string, problem: string): StartError {
  return new StartError(inFile(path, problem), EXIT.configuration);
}

/** Returns one line with setting and file. */
function inFile(path: string, text: string): string {
  return `${SETTINGS.eventSchema.env}: ${path} ${text}`.replace(/\s+/g, ' ');
}

/** @param schema the whole schema, for messages */
function validatorOf(validate: ValidateFunction, schema: JsonObject): Validator {
  return (event) => {
    try {
      return validate(event) ? undefined : boundedMessage(explain(validate.errors ?? [], schema));
    } catch (error) {
      // A recursive schema follows the nesting of the event by recursion.
      if (error instanceof RangeError) return 'nested too deeply to validate';
      throw error;
    }
  };
}

/**
 * Events against a JSON Schema, compiled once at the start. It judges and changes nothing:
 * no coercion, no defaults.
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ValidateFunction } from 'ajv';
import { boundedMessage, EXIT, StartError, systemReason } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { SETTINGS } from '../../config/config.ts';
import { textOf } from '../../config/secret-files.ts';
import { type RequiredFields, Sieve } from '../decoder/json/fast-validator.ts';
import { type Compiler, DRAFTS, type Draft, draftOf, OPTIONS } from './drafts.ts';
import { explain, explainSchema } from './explain.ts';
import { ignoredParts } from './ignored-parts.ts';
import { obstacleToObjects } from './unmatchable.ts';

/** Undefined for a good event, else what is wrong with it: `/timestamp must be integer`. */
export type Validator = (event: JsonObject) => string | undefined;

/** What an event must have by the built-in schema. */
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
 * Compiles the schema in the file `schemaPath`, or the built-in one when there is no path.
 * @throws StartError (exit code 2) in one line when the file is not a schema that can be used
 */
export function loadValidator(schemaPath: string | undefined): Validator {
  if (schemaPath === undefined) {
    // Our own schema need not be checked against its draft, which takes longer than all the rest.
    const ajv = new Ajv({ ...OPTIONS, meta: false, validateSchema: false });
    return validatorOf(ajv.compile(BUILT_IN_SCHEMA), BUILT_IN_SCHEMA);
  }
  const { validate, schema } = compile(schemaPath);
  return validatorOf(validate, schema);
}

/** Doubtful parts of a schema that can be used, a line each. */
export interface SchemaWarnings {
  /** Parts without effect. */
  readonly ignored: readonly string[];
  /** Why no event can match; one line, or none. */
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
    const known = DRAFTS.map(({ id }) => id).join(', ');
    throw wrong(path, `has an unknown $schema, ${JSON.stringify(read.$schema)}; known: ${known}`);
  }
  const schema = { ...read, $schema: draft.id };
  const compiler = draft.create();
  let validate: ValidateFunction;
  try {
    if (compiler.validateSchema(schema) === false) {
      const problem = explainSchema(compiler.errors ?? []);
      throw wrong(path, `is not a valid schema of ${draft.name}: ${problem}`);
    }
    validate = compiler.compile(schema);
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw wrong(path, `cannot be compiled: ${(error as Error).message}`);
  }
  // Its function returns a promise, which would pass for a good event.
  if ('$async' in validate) throw wrong(path, 'is asynchronous ($async)');
  return { schema, draft, compiler, validate };
}

/**
 * Lets through events that the schema surely takes: there is one for the built-in schema.
 * @param keyField the field with the key
 */
export function loadSieve(schemaPath: string | undefined, keyField: string): Sieve | undefined {
  return schemaPath === undefined ? new Sieve(BUILT_IN_FIELDS, keyField) : undefined;
}

function readSchema(path: string): JsonObject {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw wrong(path, `cannot be read: ${systemReason(error)}`);
  }
  let schema: unknown;
  try {
    schema = JSON.parse(textOf(bytes));
  } catch (error) {
    const { message } = error as Error;
    throw wrong(path, error instanceof SyntaxError ? `is not valid JSON: ${message}` : message);
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw wrong(path, 'must hold a JSON object');
  }
  return schema as JsonObject;
}

function wrong(path: string, problem: string): StartError {
  return new StartError(inFile(path, problem), EXIT.configuration);
}

/** One line that names the file. */
function inFile(path: string, text: string): string {
  return `${SETTINGS.eventSchema.env}: ${path} ${text}`.replace(/\s+/g, ' ');
}

/** @param schema the whole of it, for messages */
function validatorOf(validate: ValidateFunction, schema: JsonObject): Validator {
  return (event) => {
    try {
      return validate(event) ? undefined : boundedMessage(explain(validate.errors ?? [], schema));
    } catch (error) {
      // A schema that refers to itself follows the event's nesting by recursion.
      if (error instanceof RangeError) return 'nested too deeply to be checked';
      throw error;
    }
  };
}

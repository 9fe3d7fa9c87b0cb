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
import type { SchemaSource } from '../../streams/stream-file.ts';
import type { RequiredFields } from '../decoder/json/fast-profile.ts';
import { type Compiler, DRAFTS, type Draft, draftOf, OPTIONS } from './drafts.ts';
import { explain, explainSchema } from './explain.ts';
import { ignoredParts } from './ignored-parts.ts';
import { obstacleToObjects } from './unmatchable.ts';

const EVENT_SCHEMA = SETTINGS.eventSchema.env;

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
 * @param setting that names the file, directly or by another file
 * @param text content of the file; undefined = it is read
 * @throws StartError (exit code 2) with one line if the file is not a usable schema
 */
export function loadValidator(
  schemaPath: string | undefined,
  setting: string = EVENT_SCHEMA,
  text?: string,
): Validator {
  if (schemaPath === undefined) {
    // Skips the check against the metaschema, which takes longer than everything else.
    const ajv = new Ajv({ ...OPTIONS, meta: false, validateSchema: false });
    return validatorOf(ajv.compile(BUILT_IN_SCHEMA), BUILT_IN_SCHEMA);
  }
  const { validate, schema } = compileSetting(schemaPath, setting, text);
  return validatorOf(validate, schema);
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

/** Warnings about a usable schema, one line each. */
export interface SchemaWarnings {
  /** Parts without effect. */
  readonly ignored: readonly string[];
  /** Reason why no event can match: one line, or none. */
  readonly unmatchable: readonly string[];
}

/**
 * Compiles the schema in the file of FOREBAY_EVENT_SCHEMA, as {@link loadValidator} does.
 * @returns warnings that name setting and file
 * @throws StartError as {@link loadValidator}
 */
export function checkSchema(schemaPath: string): SchemaWarnings {
  const { ignored, unmatchable } = warningsOf(compileSetting(schemaPath, EVENT_SCHEMA));
  const lines = (texts: readonly string[]) =>
    texts.map((text) => inFile(EVENT_SCHEMA, schemaPath, text));
  return { ignored: lines(ignored), unmatchable: lines(unmatchable) };
}

/** A usable schema file: its content, and warnings that continue "the file …". */
export interface CheckedSchemaFile {
  readonly text: string;
  readonly warnings: readonly string[];
}

/**
 * Compiles the schema in any file.
 * @throws Error for an unusable schema, whose message continues "the file …"
 */
export function checkSchemaFile(path: string): CheckedSchemaFile {
  const text = readSchema(path);
  const { unmatchable, ignored } = warningsOf(compile(text));
  return { text, warnings: [...unmatchable, ...ignored] };
}

function warningsOf({ schema, draft, compiler }: Compiled): SchemaWarnings {
  const obstacle = obstacleToObjects(schema, compiler);
  return {
    ignored: ignoredParts(schema, draft, compiler),
    unmatchable: obstacle ? [`${obstacle}: no event can match the schema`] : [],
  };
}

interface Compiled {
  readonly schema: JsonObject;
  readonly draft: Draft;
  readonly compiler: Compiler;
  readonly validate: ValidateFunction;
}

/** @throws StartError that names the setting */
function compileSetting(path: string, setting: string, text?: string): Compiled {
  try {
    return compile(text ?? readSchema(path));
  } catch (error) {
    throw new StartError(inFile(setting, path, (error as Error).message), EXIT.configuration);
  }
}

/** @throws Error whose message continues "the file …" */
function compile(text: string): Compiled {
  const read = parseSchema(text);
  const draft = draftOf(read.$schema);
  if (draft === undefined) {
    const supported = DRAFTS.map(({ id }) => id).join(', ');
    const found = JSON.stringify(read.$schema);
    throw new Error(`has an unsupported $schema, ${found}; supported: ${supported}`);
  }
  const schema = { ...read, $schema: draft.id };
  const compiler = draft.create();
  const validate = compileWith(compiler, schema, draft);
  // An asynchronous validator returns a promise, which is truthy: every event would be valid.
  if ('$async' in validate) throw new Error('is asynchronous ($async)');
  return { schema, draft, compiler, validate };
}

function compileWith(compiler: Compiler, schema: JsonObject, { name }: Draft): ValidateFunction {
  try {
    if (compiler.validateSchema(schema) !== false) return compiler.compile(schema);
  } catch (error) {
    throw new Error(`cannot be compiled: ${(error as Error).message}`);
  }
  throw new Error(`is not a valid schema of ${name}: ${explainSchema(compiler.errors ?? [])}`);
}

/** @throws Error whose message continues "the file …" */
function readSchema(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new Error(`cannot be read: ${systemReason(error)}`);
  }
  return textOf(bytes);
}

function parseSchema(text: string): JsonObject {
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    throw new Error(`is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw new Error('must contain a JSON object');
  }
  return schema as JsonObject;
}

/** Returns one line with setting and file. */
function inFile(setting: string, path: string, text: string): string {
  return `${setting}: ${path} ${text}`.replace(/\s+/g, ' ');
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

/** Reads and compiles JSON Schemas of events. */
import { readFileSync, statSync } from 'node:fs';
import type { ValidateFunction } from 'ajv';
import { systemReason } from '../../common/errors.ts';
import type { JsonObject } from '../../common/json-object.ts';
import { SCHEMA_LIMITS } from '../../config/schema-limits.ts';
import { textOf } from '../../config/secret-files.ts';
import { type Compiler, DRAFTS, type Draft, draftOf } from './drafts.ts';
import { explainSchema } from './explain.ts';
import { ignoredParts } from './ignored-parts.ts';
import { checkShape, type Located } from './schema-shape.ts';
import { obstacleToObjects } from './unmatchable.ts';
import type { WorkLimit } from './work-limit.ts';

const TOO_LONG = `is longer than ${SCHEMA_LIMITS.bytes} bytes`;

/** A usable schema, and what its compilation found out. */
export interface CompiledSchema {
  readonly schema: JsonObject;
  readonly draft: Draft;
  readonly compiler: Compiler;
  /** Limits the work of `validate`. */
  readonly work: WorkLimit;
  /** Every schema in it that can apply. */
  readonly schemas: readonly Located[];
  readonly validate: ValidateFunction;
}

/** Warnings about a usable schema, one line each. */
export interface SchemaWarnings {
  /** Parts without effect. */
  readonly ignored: readonly string[];
  /** Reason why no event can match: one line, or none. */
  readonly unmatchable: readonly string[];
}

/** Returns the warnings about a usable schema. */
export function warningsOf({ schema, draft, compiler }: CompiledSchema): SchemaWarnings {
  const obstacle = obstacleToObjects(schema, compiler);
  return {
    ignored: ignoredParts(schema, draft, compiler),
    unmatchable: obstacle ? [`${obstacle}: no event can match the schema`] : [],
  };
}

/**
 * Compiles a schema.
 * @param prepare changes the compiler, which then reports all errors of an event; undefined = it
 * stops at the first one
 * @throws Error whose message continues "the file …"
 */
export function compileSchema(
  text: string,
  prepare?: (compiler: Compiler) => void,
): CompiledSchema {
  const read = parseSchema(text);
  const draft = draftOf(read.$schema);
  if (draft === undefined) {
    const supported = DRAFTS.map(({ id }) => id).join(', ');
    const found = JSON.stringify(read.$schema);
    throw new Error(`has an unsupported $schema, ${found}; supported: ${supported}`);
  }
  const schema = { ...read, $schema: draft.id };
  const optimize = text.length < SCHEMA_LIMITS.optimizedChars;
  const allErrors = prepare !== undefined;
  const { compiler, work } = draft.create({ code: { optimize }, allErrors });
  prepare?.(compiler);
  const schemas = checkShape(schema, compiler);
  const validate = compileWith(compiler, schema, draft);
  // An asynchronous validator returns a promise, which is truthy: every event would be valid.
  if ('$async' in validate) throw new Error('is asynchronous ($async)');
  return { schema, draft, compiler, work, schemas, validate };
}

function compileWith(compiler: Compiler, schema: JsonObject, { name }: Draft): ValidateFunction {
  try {
    if (compiler.validateSchema(schema) !== false) return compiler.compile(schema);
  } catch (error) {
    if (error instanceof RangeError)
      throw new Error('has too many properties or alternatives in one schema to compile');
    throw new Error(`cannot be compiled: ${(error as Error).message}`);
  }
  throw new Error(`is not a valid schema of ${name}: ${explainSchema(compiler.errors ?? [])}`);
}

/**
 * Reads a schema file.
 * @throws Error whose message continues "the file …"
 */
export function readSchema(path: string): string {
  let bytes: Buffer | undefined;
  try {
    const { size } = statSync(path);
    bytes = size > SCHEMA_LIMITS.bytes ? undefined : readFileSync(path);
  } catch (error) {
    throw new Error(`cannot be read: ${systemReason(error)}`);
  }
  if (bytes === undefined) throw new Error(TOO_LONG);
  return textOf(bytes);
}

function parseSchema(text: string): JsonObject {
  if (Buffer.byteLength(text) > SCHEMA_LIMITS.bytes) throw new Error(TOO_LONG);
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

/** Returns one line with setting, file, and a text that continues "the file …". */
export function inFile(setting: string, path: string, text: string): string {
  return `${setting}: ${path} ${text}`.replace(/\s+/g, ' ');
}

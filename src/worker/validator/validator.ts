/**
 * Events against a JSON Schema, compiled once at the start. It judges and changes nothing:
 * no coercion, no defaults.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv, type ErrorObject, type Options, type ValidateFunction } from 'ajv';
import type ajvDraft04 from 'ajv-draft-04';
import type ajvFormats from 'ajv-formats';
import { SETTINGS } from '../../config.ts';
import { boundedMessage, EXIT, StartError, systemReason } from '../../errors.ts';
import { type RequiredFields, Sieve } from '../decoder/sieve.ts';
import type { JsonObject } from '../decoder/sink.ts';

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

const OPTIONS: Options = {
  strict: false,
  // `strict` switches it off too; without it 1e400, which is parsed to Infinity, is an integer.
  strictNumbers: true,
  // Or a schema's field named `constructor` is found in every event.
  ownProperties: true,
  logger: false,
};

/** What only other schemas need is loaded when one is configured: a worker starts sooner. */
const require = createRequire(import.meta.url);
type Compiler = Pick<Ajv, 'compile'> & Parameters<typeof ajvFormats.default>[0];
type CompilerClass = new (options: Options) => Compiler;

const DRAFT_07 = 'http://json-schema.org/draft-07/schema';
/** A compiler for each `$schema`, written without the empty fragment. */
const COMPILERS = new Map<string, () => Compiler>([
  [
    'http://json-schema.org/draft-04/schema',
    () => new (require('ajv-draft-04') as typeof ajvDraft04).default(OPTIONS),
  ],
  ['http://json-schema.org/draft-06/schema', draft06],
  [DRAFT_07, () => new Ajv(OPTIONS)],
  [
    'https://json-schema.org/draft/2019-09/schema',
    () => new (require('ajv/dist/2019.js') as { Ajv2019: CompilerClass }).Ajv2019(OPTIONS),
  ],
  [
    'https://json-schema.org/draft/2020-12/schema',
    () => new (require('ajv/dist/2020.js') as { Ajv2020: CompilerClass }).Ajv2020(OPTIONS),
  ],
]);

function draft06(): Ajv {
  const ajv = new Ajv(OPTIONS);
  ajv.addMetaSchema(require('ajv/dist/refs/json-schema-draft-06.json') as object);
  return ajv;
}

/**
 * Compiles the schema in the file `schemaPath`, or the built-in one when there is no path.
 * @throws StartError (exit code 2) in one line when the file is not a schema that can be used
 */
export function loadValidator(schemaPath: string | undefined): Validator {
  if (schemaPath === undefined) {
    // Our own schema need not be checked against its draft, which takes longer than all the rest.
    const ajv = new Ajv({ ...OPTIONS, meta: false, validateSchema: false });
    return validatorOf(ajv.compile(BUILT_IN_SCHEMA));
  }
  const schema = readSchema(schemaPath);
  const compiler = compilerOf(schemaPath, schema);
  let validate: ValidateFunction;
  try {
    (require('ajv-formats') as typeof ajvFormats).default(compiler);
    validate = compiler.compile(schema);
  } catch (error) {
    throw wrong(schemaPath, `cannot be compiled: ${(error as Error).message}`);
  }
  // Its function returns a promise, which would pass for a good event.
  if ('$async' in validate) throw wrong(schemaPath, 'is asynchronous ($async)');
  return validatorOf(validate);
}

/**
 * Lets through events that the schema surely takes: there is one for the built-in schema.
 * @param keyField the field with the key
 */
export function loadSieve(schemaPath: string | undefined, keyField: string): Sieve | undefined {
  return schemaPath === undefined ? new Sieve(BUILT_IN_FIELDS, keyField) : undefined;
}

function readSchema(path: string): JsonObject {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(path, `cannot be read (${systemReason(error)})`);
  }
  let schema: unknown;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    throw wrong(path, `is not valid JSON: ${(error as Error).message}`);
  }
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) {
    throw wrong(path, 'must hold a JSON object');
  }
  return schema as JsonObject;
}

function compilerOf(path: string, schema: JsonObject): Compiler {
  const { $schema: named = DRAFT_07 } = schema;
  const compiler = typeof named === 'string' ? COMPILERS.get(named.replace(/#$/, '')) : undefined;
  if (compiler !== undefined) return compiler();
  const known = [...COMPILERS.keys()].join(', ');
  throw wrong(path, `has an unknown $schema, ${JSON.stringify(named)}; known: ${known}`);
}

function wrong(path: string, problem: string): StartError {
  const line = `${SETTINGS.eventSchema.env}: ${path} ${problem}`.replace(/\s+/g, ' ');
  return new StartError(line, EXIT.configuration);
}

function validatorOf(validate: ValidateFunction): Validator {
  return (event) => {
    try {
      return validate(event) ? undefined : boundedMessage(describe(validate.errors ?? []));
    } catch (error) {
      // A schema that refers to itself follows the event's nesting by recursion.
      if (error instanceof RangeError) return 'nested too deeply to be checked';
      throw error;
    }
  };
}

/** ajv lists the errors of inner schemas first: the last one tells of a whole `anyOf`. */
function describe(errors: readonly ErrorObject[]): string {
  const error = errors.at(-1);
  if (error === undefined) return 'does not match the schema';
  const { instancePath, message = error.keyword } = error;
  return instancePath === '' ? message : `${instancePath} ${message}`;
}

/** Drafts of JSON Schema: names, spellings of `$schema`, and a compiler for each. */
import { createRequire } from 'node:module';
import type { Ajv, Options } from 'ajv';
import type ajvDraft04 from 'ajv-draft-04';
import type ajvFormats from 'ajv-formats';
import { limitedCode, limitKeywords, WorkLimit } from './work-limit.ts';

/** Options of every compiler. */
export const OPTIONS: Options = {
  strict: false,
  // `strict: false` disables it; without it 1e400, which parses to Infinity, is an integer.
  strictNumbers: true,
  // Without it a schema's property named `constructor` exists in every event.
  ownProperties: true,
  logger: false,
  // Adds the failing schema to errors, which names branches and values.
  verbose: true,
};

/** Loads the compilers of configured schemas only, for a faster start of workers without one. */
const require = createRequire(import.meta.url);
type Formats = typeof ajvFormats;
export type Compiler = Pick<
  Ajv,
  'compile' | 'errors' | 'formats' | 'opts' | 'refs' | 'RULES' | 'schemas' | 'validateSchema'
> &
  Parameters<Formats['default']>[0];
type CompilerClass = new (options: Options) => Compiler;

/** A compiler, and the limit of the work of its validators. */
export interface LimitedCompiler {
  readonly compiler: Compiler;
  readonly work: WorkLimit;
}

export interface Draft {
  /** Name in messages and documents. */
  readonly name: string;
  /** The `$schema` of the draft, without the empty fragment. */
  readonly id: string;
  /**
   * Creates a compiler with formats, and with the metaschemas under each spelling.
   * @param options in addition to {@link OPTIONS}
   */
  create(options?: Options): LimitedCompiler;
}

const DRAFT_07 = draft('draft-07', 'http://json-schema.org/draft-07/schema', draft07);

export const DRAFTS: readonly Draft[] = [
  draft('draft-04', 'http://json-schema.org/draft-04/schema', (options) => {
    const { default: AjvDraft04 } = require('ajv-draft-04') as typeof ajvDraft04;
    return new AjvDraft04(options);
  }),
  draft('draft-06', 'http://json-schema.org/draft-06/schema', (options) => {
    const ajv = draft07(options);
    ajv.addMetaSchema(require('ajv/dist/refs/json-schema-draft-06.json') as object);
    return ajv;
  }),
  DRAFT_07,
  draft('2019-09', 'https://json-schema.org/draft/2019-09/schema', (options) => {
    const { Ajv2019 } = require('ajv/dist/2019.js') as { Ajv2019: CompilerClass };
    return new Ajv2019(options);
  }),
  draft('2020-12', 'https://json-schema.org/draft/2020-12/schema', (options) => {
    const { Ajv2020 } = require('ajv/dist/2020.js') as { Ajv2020: CompilerClass };
    return new Ajv2020(options);
  }),
];

function draft07(options: Options): Ajv {
  const { Ajv } = require('ajv') as { Ajv: new (options: Options) => Ajv };
  return new Ajv(options);
}

function draft(name: string, id: string, create: (options: Options) => Compiler): Draft {
  return {
    name,
    id,
    create: (options) => {
      const work = new WorkLimit();
      const code = { ...limitedCode(work), ...options?.code };
      const compiler = create({ ...OPTIONS, ...options, code });
      const { default: addFormats } = require('ajv-formats') as Formats;
      addFormats(compiler);
      for (const known of Object.keys(compiler.schemas)) addSpellings(compiler, known);
      limitKeywords(compiler, work);
      return { compiler, work };
    },
  };
}

/** Registers every spelling of the metaschema `id`, for a `$ref` to it. */
function addSpellings(compiler: Compiler, id: string): void {
  const [, rest = ''] = id.split('://');
  for (const scheme of ['http', 'https']) {
    for (const slash of ['', '/']) {
      const spelling = `${scheme}://${rest}${slash}`;
      if (spelling !== id) compiler.refs[spelling] = id;
    }
  }
}

/**
 * Returns the draft of a `$schema`: http or https, with or without an empty fragment or a trailing
 * slash. The default is draft-07.
 */
export function draftOf($schema: unknown): Draft | undefined {
  if ($schema === undefined) return DRAFT_07;
  if (typeof $schema !== 'string') return undefined;
  const normalized = normalize($schema);
  return DRAFTS.find(({ id }) => normalize(id) === normalized);
}

/** Normalizes a URI: scheme and host are case-insensitive, the path is not. */
function normalize(uri: string): string {
  return uri
    .replace(/^https?:\/\/[^/]*/i, (origin) => origin.toLowerCase().replace(/^https/, 'http'))
    .replace(/\/?#?\/?$/, '');
}

/** Compares plans, interpreted by the table validator, with ajv. */
import { RESULT_ID, RESULT_KEY } from '../../../src/worker/decoder/kernel/layout.ts';
import type { RecordFields } from '../../../src/worker/decoder/kernel/plan.ts';
import { buildTable } from '../../../src/worker/decoder/kernel/table.ts';
import { TableValidator } from '../../../src/worker/decoder/kernel/table-validator.ts';
import { type CompiledSchema, compileSchema } from '../../../src/worker/intake/compile-schema.ts';
import { draftOf, type LimitedCompiler } from '../../../src/worker/intake/drafts.ts';
import { checkShape } from '../../../src/worker/intake/schema-shape.ts';
import { planSchema, type SchemaPlan } from '../../../src/worker/schema-plan/plan-schema.ts';

const DEPTH_MAX = 64;

/** Results of plan and ajv for one event. */
export interface Decision {
  /** The plan accepts it. */
  readonly isDecided: boolean;
  readonly isValid: boolean;
  /** Texts of the fields of the record; undefined = none. */
  readonly key: string | undefined;
  readonly id: string | undefined;
}

/** A schema with its plan. */
export class PlannedSchema {
  readonly compiled: CompiledSchema;
  readonly plan: SchemaPlan;
  readonly #validator: TableValidator | undefined;

  /** @throws Error if the schema is not usable */
  constructor(
    schema: Readonly<Record<string, unknown>>,
    fields: RecordFields = {},
    compiled: CompiledSchema = compileSchema(JSON.stringify(schema)),
  ) {
    this.compiled = compiled;
    this.plan = planSchema(this.compiled, fields);
    const { event } = this.plan;
    const profiles = event && [event];
    this.#validator = profiles && new TableValidator(buildTable(profiles));
  }

  decide(text: string): Decision {
    const bytes = Buffer.from(text);
    const validator = this.#validator;
    validator?.load(bytes, 0, bytes.length);
    const isDecided = validator?.objectEnd(0, bytes.length, DEPTH_MAX) === bytes.length;
    const textAt = (word: number) => {
      const { results } = validator!;
      const [start = 0, length = -1] = results.subarray(word, word + 2);
      return length === -1 ? undefined : bytes.toString('utf8', start, start + length);
    };
    const [key, id] = isDecided ? [textAt(RESULT_KEY), textAt(RESULT_ID)] : [];
    return { isDecided, isValid: this.isValid(text), key, id };
  }

  isValid(text: string): boolean {
    const { work, validate } = this.compiled;
    work.begin();
    try {
      return validate(JSON.parse(text)) as boolean;
    } catch (error) {
      // A defect of ajv's code for dependentSchemas with unevaluatedProperties.
      if (error instanceof TypeError) return false;
      throw error;
    }
  }
}

const COMPILED_MAX = 100;
const compilers = new Map<unknown, { readonly limited: LimitedCompiler; compiled: number }>();

/**
 * Compiles a schema as compileSchema does, with a compiler that compiles many: creating one takes
 * far longer than most schemas. The `$id` of each schema must be its own.
 * @throws Error if the schema is not usable
 */
export function compileQuickly(text: string): CompiledSchema {
  const schema = JSON.parse(text) as Record<string, unknown>;
  const draft = draftOf(schema.$schema)!;
  let shared = compilers.get(draft);
  if (shared === undefined || shared.compiled >= COMPILED_MAX) {
    shared = { limited: draft.create(), compiled: 0 };
    compilers.set(draft, shared);
  }
  shared.compiled++;
  const { compiler, work } = shared.limited;
  const schemas = checkShape(schema, compiler);
  schema.$schema = draft.id;
  if (compiler.validateSchema(schema) === false) throw new Error('is not a schema');
  const validate = compiler.compile(schema);
  return { schema, draft, compiler, work, schemas, validate };
}

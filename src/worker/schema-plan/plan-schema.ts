/**
 * Compiles a schema to a plan for deciding events by their bytes. ajv is the authority: a plan may
 * leave valid events undecided, but accepts none that ajv rejects with the project's options.
 */
import { MIB } from '../../config/limits.ts';
import { OBJECT } from '../decoder/kernel/layout.ts';
import { ANY, type ObjectPlan, type RecordFields, type ValuePlan } from '../decoder/kernel/plan.ts';
import { buildTable } from '../decoder/kernel/table.ts';
import { shown } from '../intake/json-pointer.ts';
import { type Captures, capturesOf } from './captures.ts';
import { Planner, TooManyPlans } from './planner.ts';
import { isSatisfiable } from './satisfiable.ts';
import { type PlannedSchema, SchemaPlaces, type SlowPart } from './schema-places.ts';

/** Maximum size of the table of a plan: larger ones leave the processor's cache. */
const TABLE_BYTES_MAX = MIB;
/** Slow parts in a line, and its maximum characters. */
const SHOWN_PARTS = 10;
const SHOWN_CHARS = 2_000;

/** Plan for the events of a schema. */
export interface SchemaPlan {
  /** Undefined = all events are undecided. */
  readonly event: ValuePlan | undefined;
  /** Parts of the schema that leave events undecided. */
  readonly slowParts: readonly SlowPart[];
}

/** Compiles a schema, with the fields of the record. */
export function planSchema(compiled: PlannedSchema, fields: RecordFields = {}): SchemaPlan {
  const places = new SchemaPlaces(compiled);
  const planner = new Planner(places);
  try {
    const plan = planner.planOf([places.root], capturesOf(fields));
    const event = { ...plan, types: plan.types & OBJECT };
    const { slowParts } = planner;
    if (!isSatisfiable(event)) {
      const none = { pointer: '', why: 'leaves all events undecided' };
      return { event: undefined, slowParts: [none, ...slowParts] };
    }
    const { length } = buildTable([event]);
    if (length <= TABLE_BYTES_MAX) return { event, slowParts };
    const why = `needs a table of ${length} bytes, the maximum is ${TABLE_BYTES_MAX}`;
    return { event: undefined, slowParts: [{ pointer: '', why }] };
  } catch (error) {
    if (!(error instanceof TooManyPlans) && !(error instanceof RangeError)) throw error;
    return { event: undefined, slowParts: [{ pointer: '', why: error.message }] };
  }
}

/**
 * Returns a plan that accepts every object, and locates fields.
 * @throws RangeError if the key has too many fields
 */
export function locateOnly(fields: RecordFields): ValuePlan {
  return located(capturesOf(fields), OBJECT);
}

function located(captures: Captures | undefined, types: number): ValuePlan {
  if (captures === undefined) return { ...ANY, types };
  const properties = new Map<string, ValuePlan>();
  for (const [name, inner] of captures.inner) properties.set(name, located(inner, ANY.types));
  const object: ObjectPlan = { properties, required: new Set(), others: ANY };
  return { types, captures: captures.bits, object: properties.size === 0 ? undefined : object };
}

/**
 * Returns the parts of a schema that leave events undecided as one line; undefined = there are
 * none.
 */
export function slowPartsText(slowParts: readonly SlowPart[]): string | undefined {
  if (slowParts.length === 0) return undefined;
  const lines = slowParts
    .slice(0, SHOWN_PARTS)
    .map(({ pointer, why }) => `${pointer === '' ? 'the schema' : shown(pointer)} ${why}`);
  const rest = slowParts.length - lines.length;
  if (rest > 0) lines.push(`and ${rest} more`);
  const text = lines.join('; ');
  return text.length <= SHOWN_CHARS ? text : `${text.slice(0, SHOWN_CHARS - 1)}…`;
}

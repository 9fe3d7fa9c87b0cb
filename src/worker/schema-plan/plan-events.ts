/** Plans for the events of a stream. */
import { KEY_PARTS_MAX } from '../decoder/kernel/layout.ts';
import type { RecordFields, ValuePlan } from '../decoder/kernel/plan.ts';
import { locateOnly, planSchema, type SchemaPlan } from './plan-schema.ts';
import type { PlannedSchema } from './schema-places.ts';

/**
 * Returns the plan for events of a schema.
 * @param schema undefined = every object is valid
 */
export function planEvents(schema: PlannedSchema | undefined, fields: RecordFields): SchemaPlan {
  if (fields.key !== undefined && fields.key.length > KEY_PARTS_MAX) {
    const why = `is not used: the key has more than ${KEY_PARTS_MAX} fields`;
    return { event: undefined, slowParts: [{ pointer: '', why }] };
  }
  if (schema === undefined) return { event: locateOnly(fields), slowParts: [] };
  return planSchema(schema, fields);
}

/** Returns the plan that locates the routing field, and accepts every object. */
export function planRouting(field: string): ValuePlan {
  return locateOnly({ route: field });
}

/** Schemas of many streams: each has the structure of a page view, order or log entry, and more. */
import { SeededRandom } from '../../testing/random.ts';
import { type Schema, type SchemaDocument, schemaOf } from './json-schema.ts';
import { streamName } from './messages.ts';

/** Kinds of events of the body `mixed`, each in a stream of its own. */
export const KINDS = 16;
/** Routing field of these events: the name of their stream. */
export const ROUTING_FIELD = 'type';

const BASES = ['page-view', 'order', 'log'] as const;
const SEED = 22;
const PROPERTIES = 5;
const NOUNS = ['amount', 'batch', 'campaign', 'device', 'engine', 'flow', 'gauge', 'hub', 'index'];
const VALUES: readonly Schema[] = [
  { type: 'string', minLength: 1, maxLength: 16 },
  { type: 'integer', minimum: 0, maximum: 99_999 },
  { type: 'number', minimum: 0, maximum: 100 },
  { type: 'boolean' },
  { enum: ['low', 'normal', 'high'] },
  { type: ['string', 'null'], maxLength: 12 },
];

/** Returns the schema of stream `index`: its own `type`, and an object of properties of its own. */
export function kindSchema(index: number): SchemaDocument {
  const base = schemaOf(BASES[index % BASES.length]!);
  const random = new SeededRandom(SEED, streamName(index));
  const names = random.shuffled(NOUNS).slice(0, PROPERTIES);
  const properties = Object.fromEntries(names.map((name) => [name, random.pick(VALUES)]));
  const own: Schema = { type: 'object', required: names.slice(0, 3), properties };
  return {
    ...base,
    title: `${base.title} of ${streamName(index)}`,
    required: [...(base.required ?? []), `own_${index}`],
    properties: {
      ...base.properties,
      [ROUTING_FIELD]: { const: streamName(index) },
      [`own_${index}`]: own,
    },
  };
}

/** Bundling of a schema with the schemas that it refers to, as one compound document. */
import { isObject, type JsonObject } from '../common/json-object.ts';
import { type SchemaReference, type SubjectVersion, UnusableVersion } from './client.ts';
import { REGISTRY_LIMITS } from './limits.ts';

/** Reads the version of a reference. @throws UnusableVersion, or RegistryUnavailable */
export type ReferenceReader = (reference: SchemaReference) => Promise<SubjectVersion>;

/**
 * Returns the schema as one document. Each referenced one becomes a definition whose id is the URI
 * to which the name of the reference resolves, so that a `$ref` finds it there. A schema without
 * references stays as it is, byte by byte.
 * @throws UnusableVersion for a schema that is not a JSON object, or has too many or too long
 * references
 */
export async function bundled(
  { schema, references }: SubjectVersion,
  read: ReferenceReader,
): Promise<string> {
  if (references.length === 0) return schema;
  const root = objectOf(schema, 'the schema');
  const keywords = keywordsOf(root.$schema);
  const definitions = new Map<string, JsonObject>();
  await collect(references, baseOf(root[keywords.id]), { read, definitions, keywords });
  const own = root[keywords.definitions];
  const all = { ...(isObject(own) ? own : {}), ...Object.fromEntries(definitions) };
  const text = JSON.stringify({ ...root, [keywords.definitions]: all });
  const { bytes: maxBytes } = REGISTRY_LIMITS;
  if (Buffer.byteLength(text) <= maxBytes) return text;
  throw new UnusableVersion(`the schema and its references are longer than ${maxBytes} bytes`);
}

/** Keywords whose names depend on the draft. */
interface Keywords {
  readonly id: 'id' | '$id';
  readonly definitions: 'definitions' | '$defs';
}

interface Collection {
  readonly read: ReferenceReader;
  /** Schemas by their URI. */
  readonly definitions: Map<string, JsonObject>;
  readonly keywords: Keywords;
}

/** @param base URI against which the names of the references are resolved */
async function collect(
  references: readonly SchemaReference[],
  base: string,
  collection: Collection,
): Promise<void> {
  const { read, definitions, keywords } = collection;
  for (const reference of references) {
    const uri = resolved(base, reference.name);
    if (definitions.has(uri)) continue;
    const { references: referencesMax } = REGISTRY_LIMITS;
    if (definitions.size >= referencesMax) {
      throw new UnusableVersion(`the schema has more than ${referencesMax} references`);
    }
    const found = await read(reference);
    const { $schema, ...schema } = objectOf(found.schema, `the reference ${reference.name}`);
    definitions.set(uri, { ...schema, [keywords.id]: uri });
    await collect(found.references, uri, collection);
  }
}

function objectOf(text: string, name: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UnusableVersion(`${name} is not valid JSON: ${(error as Error).message}`);
  }
  if (isObject(value)) return value;
  throw new UnusableVersion(`${name} is not a JSON object`);
}

function keywordsOf($schema: unknown): Keywords {
  const draft = typeof $schema === 'string' ? $schema : '';
  return {
    id: draft.includes('/draft-04/') ? 'id' : '$id',
    definitions: /\/draft\/20(19-09|20-12)\//.test(draft) ? '$defs' : 'definitions',
  };
}

function baseOf(id: unknown): string {
  return typeof id === 'string' ? id.replace(/#.*$/, '') : '';
}

/** Stands for the unknown location of a schema without an absolute id. */
const UNKNOWN = 'unknown://schema/';

/** Resolves the name of a reference as ajv resolves a `$ref` with this text. */
function resolved(base: string, name: string): string {
  const plain = name.replace(/#.*$/, '');
  if (URL.canParse(plain)) return plain;
  const absolute = URL.canParse(base) ? base : new URL(base, UNKNOWN).href;
  if (!URL.canParse(plain, absolute)) return plain;
  const { href } = new URL(plain, absolute);
  return href.startsWith(UNKNOWN) ? href.slice(UNKNOWN.length) : href;
}

/** Schemas of a registry that a stream file names. */
import { isObject } from '../common/json-object.ts';
import { LIMITS } from '../config/limits.ts';
import { textOf } from '../config/secret-files.ts';
import type { Framing, SchemaName, VersionName } from './stream-file.ts';
import { YamlDocument } from './yaml-document.ts';

/** A schema of a registry as written. */
export interface RawRegistered {
  readonly subject: string;
  readonly version?: VersionName;
  readonly framing?: Framing;
}

export function schemaNameOf({ subject, version = 'latest' }: RawRegistered): SchemaName {
  return { subject, requested: version };
}

/** Text that is equal for equal names. */
export function schemaKey({ subject, requested }: SchemaName): string {
  return `${requested} ${subject}`;
}

/** Returns whether a value of a stream file has the form of a schema of a registry. */
export function isRegistered(schema: unknown): schema is RawRegistered {
  if (!isObject(schema)) return false;
  const { subject, version = 'latest' } = schema;
  const isVersion = version === 'latest' || (Number.isInteger(version) && Number(version) >= 1);
  return typeof subject === 'string' && subject !== '' && isVersion;
}

/**
 * Returns the schemas of a registry that a stream file names, each once; none for a file that
 * cannot be read as such: its errors are reported by parseStreamFile().
 */
export function schemaNamesIn(bytes: Buffer): SchemaName[] {
  if (bytes.length > LIMITS.streamFile.bytes) return [];
  let text: string;
  try {
    text = textOf(bytes);
  } catch {
    return [];
  }
  const { value } = new YamlDocument(text);
  const { streams } = isObject(value) ? value : {};
  const names = Object.values(isObject(streams) ? streams : {}).flatMap((stream) => {
    const { schema } = isObject(stream) ? stream : {};
    return isRegistered(schema) ? [schemaNameOf(schema)] : [];
  });
  return [...new Map(names.map((name) => [schemaKey(name), name])).values()];
}

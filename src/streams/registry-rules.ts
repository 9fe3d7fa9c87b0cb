/** Rules of schemas in a registry, and of the framing of records with them. */
import { isObject } from '../common/json-object.ts';
import type { Located, RawEntry } from './internal-streams.ts';
import { isRegistered, schemaKey, schemaNameOf } from './schema-names.ts';
import type { RegisteredVersion, SchemaName } from './stream-file.ts';
import { shownText } from './yaml-document.ts';

/** A usable schema of the registry; its warnings continue "the subject …". */
export interface CheckedRegistrySchema extends RegisteredVersion {
  readonly text: string;
  readonly warnings: readonly string[];
}

/**
 * Returns a schema of the registry.
 * @throws Error if it is not available; its message continues "the subject …: "
 */
export type RegistrySchemas = (name: SchemaName) => CheckedRegistrySchema;

/** Result of these rules. */
export interface RegistryProblems {
  readonly errors: readonly Located[];
  readonly warnings: readonly Located[];
  /** Usable schemas, by schemaKey(). */
  readonly registered: ReadonlyMap<string, CheckedRegistrySchema>;
}

/** @param registrySchema undefined = there is no registry */
export function registryProblems(
  streams: readonly RawEntry[],
  registrySchema: RegistrySchemas | undefined,
): RegistryProblems {
  const errors: Located[] = [];
  const warnings: Located[] = [];
  const registered = new Map<string, CheckedRegistrySchema>();
  for (const [name, { schema, value }] of streams) {
    if (!isObject(schema)) continue;
    const { file, subject, framing = 'raw' } = schema;
    const path = ['streams', name, 'schema'];
    const at = [...path, 'subject'];
    if (file !== undefined && subject !== undefined) {
      errors.push([at, 'and file are mutually exclusive']);
    }
    for (const property of ['version', 'framing']) {
      if (subject !== undefined || schema[property] === undefined) continue;
      errors.push([[...path, property], 'requires subject']);
    }
    if (framing !== 'raw' && value === 'as-sent') {
      errors.push([[...path, 'framing'], 'requires `value: json`: consumers expect JSON']);
    }
    if (!isRegistered(schema)) continue;
    if (registrySchema === undefined) {
      errors.push([at, 'requires FOREBAY_SCHEMA_REGISTRY_URL']);
      continue;
    }
    const wanted = schemaNameOf(schema);
    try {
      const found = registrySchema(wanted);
      registered.set(schemaKey(wanted), found);
      for (const warning of found.warnings) {
        warnings.push([at, `: ${shownText(schema.subject)} ${warning}`]);
      }
      if (framing !== 'header' || found.guid !== undefined) continue;
      const text = 'needs the GUID of the schema, which this registry does not have: use prefix';
      errors.push([[...path, 'framing'], text]);
    } catch (error) {
      errors.push([at, `: ${shownText(schema.subject)}: ${(error as Error).message}`]);
    }
  }
  return { errors, warnings, registered };
}

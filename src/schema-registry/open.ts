/** The schema registry of the settings, and the schemas of a stream file in it. */
import { readFileSync } from 'node:fs';
import { attempt, EXIT, StartError } from '../common/errors.ts';
import type { Config } from '../config/config.ts';
import { readPem } from '../config/pem.ts';
import { readSecret } from '../config/secret-files.ts';
import { SETTINGS } from '../config/settings.ts';
import { checkSchemas } from '../schemas/checker.ts';
import type { LoadedStreamFile } from '../streams/parse.ts';
import type { RegistrySchemas } from '../streams/registry-rules.ts';
import { schemaNamesIn } from '../streams/schema-names.ts';
import { authorizationOf, RegistryClient } from './client.ts';
import { SchemaCopies } from './copies.ts';
import { SchemaRegistry } from './registry.ts';

/** Settings of the registry. */
export type RegistrySettings = Pick<
  Config,
  | 'schemaRegistryUrl'
  | 'schemaRegistryAuthFile'
  | 'schemaRegistryCaFile'
  | 'schemaRegistryCacheDir'
  | 'maxFrameBytes'
>;

/**
 * Opens the registry at FOREBAY_SCHEMA_REGISTRY_URL, which must be set.
 * @throws StartError (exit code 1) if its file of credentials or certificates is unusable
 */
export function openRegistry(settings: RegistrySettings): SchemaRegistry {
  const { schemaRegistryUrl: url, schemaRegistryAuthFile: authFile } = settings;
  const { schemaRegistryCaFile: caFile, schemaRegistryCacheDir: folder } = settings;
  if (url === undefined) throw new Error('FOREBAY_SCHEMA_REGISTRY_URL is not set');
  const { env } = SETTINGS.schemaRegistryAuthFile;
  if (authFile !== undefined && authorizationOf(readSecret(env, authFile)) === undefined) {
    const message = `${env}: ${authFile} must have one line: user:password, or a token`;
    throw new StartError(message, EXIT.failed);
  }
  const ca = caFile && readPem(SETTINGS.schemaRegistryCaFile.env, caFile, 'CERTIFICATE');
  const client = new RegistryClient({ url, authFile, ca });
  const copies = new SchemaCopies(folder, client.address);
  const check = async (text: string) => {
    const result = (await checkSchemas([text], settings.maxFrameBytes)).get(text)!;
    if ('error' in result) throw new Error(result.error);
    const { unmatchable, ignored } = result.warnings;
    return [...unmatchable, ...ignored];
  };
  return new SchemaRegistry({ client, copies, check });
}

/** Schemas of a stream file. */
export interface ProvidedSchemas {
  /** See StreamFileContext. */
  readonly find: RegistrySchemas;
  /** Runs a load of the stream file with {@link find}; afterwards, only its schemas are polled. */
  readonly use: (load: () => LoadedStreamFile) => LoadedStreamFile;
}

/** Reads the schemas that the stream file at `path` names. Never fails: `find` has the reason. */
export async function provideSchemas(
  registry: SchemaRegistry,
  path: string,
): Promise<ProvidedSchemas> {
  const bytes = attempt(() => readFileSync(path));
  const names = bytes === undefined ? [] : schemaNamesIn(bytes);
  await registry.provide(names);
  return {
    find: (name) => {
      const { schema, warnings, note } = registry.find(name);
      return { ...schema, warnings: note === undefined ? warnings : [note, ...warnings] };
    },
    use: (load) => {
      try {
        const loaded = load();
        registry.retain(names);
        return loaded;
      } catch (error) {
        // A restart may help.
        if (!(error instanceof StartError) || !registry.lacks(names)) throw error;
        throw new StartError(error.message, EXIT.failed);
      }
    },
  };
}

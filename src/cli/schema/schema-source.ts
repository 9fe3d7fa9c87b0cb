/** Schemas for the commands, checked and compiled as the gateway does when it loads them. */
import { EXIT, StartError } from '../../common/errors.ts';
import { printable } from '../../common/printable.ts';
import { type Config, readConfig } from '../../config/config.ts';
import { SETTINGS } from '../../config/settings.ts';
import type { CheckedRegistrySchema } from '../../streams/registry-rules.ts';
import type { SchemaSource } from '../../streams/stream-file.ts';
import type { Validator } from '../../worker/intake/validator.ts';
import { unusable } from './usage.ts';

export interface LoadedSchema {
  /** File, or subject and version. */
  readonly name: string;
  readonly validate: Validator;
  /**
   * Lines about parts without effect, about a schema that no event can match, and about a registry
   * whose copy is used.
   */
  readonly warnings: readonly string[];
}

/**
 * Loads the schema in a file, for events of up to FOREBAY_MAX_FRAME_BYTES.
 * @throws StartError (exit code 2) with the reason, if the gateway would not accept it
 */
export async function loadSchema(file: string): Promise<LoadedSchema> {
  const { checkSchemaFiles } = await import('../../schemas/checker.ts');
  const { maxFrameBytes } = readConfig(process.env);
  const result = (await checkSchemaFiles([file], maxFrameBytes)).get(file)!;
  if ('error' in result) throw unusable(`${file} ${result.error}`);
  const { unmatchable, ignored } = result.warnings;
  return compiled(file, result.text, [...unmatchable, ...ignored]);
}

/**
 * Loads the schema of a stream: that in its file, or in the registry of the settings or its copy.
 * @param path of the stream file
 * @throws StartError (exit code 2) with the reason, if the gateway would not accept it
 */
export async function loadStreamSchema(
  config: Config,
  path: string,
  { file, registered }: SchemaSource,
): Promise<LoadedSchema> {
  if (registered === undefined) return loadSchema(file);
  const { subject, requested } = registered;
  if (config.schemaRegistryUrl === undefined) {
    const { env } = SETTINGS.schemaRegistryUrl;
    throw unusable(`the subject ${printable(subject)} requires ${env}`);
  }
  const { openRegistry, provideSchemas } = await import('../../schema-registry/open.ts');
  const name = printable(subject);
  let found: CheckedRegistrySchema;
  try {
    const { find } = await provideSchemas(openRegistry(config), path);
    found = find({ subject, requested });
  } catch (error) {
    throw unusable(`${name} version ${requested}: ${(error as Error).message}`);
  }
  return compiled(`${name} version ${found.version}`, found.text, found.warnings);
}

/** @param warnings that continue the name of the schema */
async function compiled(
  name: string,
  text: string,
  warnings: readonly string[],
): Promise<LoadedSchema> {
  const { loadValidator } = await import('../../worker/intake/validator.ts');
  try {
    const validate = loadValidator(name, 'schema', text);
    return { name, validate, warnings: warnings.map((warning) => `${name} ${warning}`) };
  } catch (error) {
    if (error instanceof StartError) throw new StartError(error.message, EXIT.configuration);
    throw error;
  }
}

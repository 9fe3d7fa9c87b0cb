/** Schemas for the commands, checked and compiled as the gateway does when it loads them. */
import { EXIT, StartError } from '../../common/errors.ts';
import { readConfig } from '../../config/config.ts';
import type { Validator } from '../../worker/intake/validator.ts';
import { unusable } from './usage.ts';

export interface LoadedSchema {
  readonly file: string;
  readonly validate: Validator;
  /** Lines about parts without effect, and about a schema that no event can match. */
  readonly warnings: readonly string[];
}

/**
 * Loads the schema in a file, for events of up to FOREBAY_MAX_FRAME_BYTES.
 * @throws StartError (exit code 2) with the reason, if the gateway would not accept it
 */
export async function loadSchema(file: string): Promise<LoadedSchema> {
  const [{ checkSchemaFiles }, { loadValidator }] = await Promise.all([
    import('../../schemas/checker.ts'),
    import('../../worker/intake/validator.ts'),
  ]);
  const { maxFrameBytes } = readConfig(process.env);
  const result = (await checkSchemaFiles([file], maxFrameBytes)).get(file)!;
  if ('error' in result) throw unusable(`${file} ${result.error}`);
  try {
    const validate = loadValidator(file, 'schema', result.text);
    const { unmatchable, ignored } = result.warnings;
    const warnings = [...unmatchable, ...ignored].map((warning) => `${file} ${warning}`);
    return { file, validate, warnings };
  } catch (error) {
    if (error instanceof StartError) throw new StartError(error.message, EXIT.configuration);
    throw error;
  }
}

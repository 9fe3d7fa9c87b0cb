/** `streams spec`: the specifications of an installation. */
import { readFileSync } from 'node:fs';
import { EXIT } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { implicitStream } from '../../streams/implicit-stream.ts';
import type { StreamFile } from '../../streams/stream-file.ts';

/** Names of the documents, as files in the folder `specs` of the build. */
export const FORMATS = ['openapi', 'asyncapi'] as const;
export type Format = (typeof FORMATS)[number];

export interface SpecOptions {
  readonly format: Format;
  /** Public URL; undefined = the port of the settings on this machine. */
  readonly url: string | undefined;
  readonly json: boolean;
}

/**
 * Prints a specification, in YAML or JSON.
 * @param file undefined = the one stream of the settings
 * @returns the exit code
 */
export async function printSpec(
  config: Config,
  file: StreamFile | undefined,
  { format, url, json }: SpecOptions,
): Promise<number> {
  const [{ parse, stringify }, { installationOf }, { openApiOf }, { asyncApiOf }] =
    await Promise.all([
      import('yaml'),
      import('./specs/installation.ts'),
      import('./specs/openapi.ts'),
      import('./specs/asyncapi.ts'),
    ]);
  const declared = file !== undefined;
  const installation = installationOf(config, file ?? implicitStream(config), declared, url);
  const derive = { openapi: openApiOf, asyncapi: asyncApiOf }[format];
  const base = new URL(`../../specs/${format}.yaml`, import.meta.url);
  const document = derive(parse(readFileSync(base, 'utf8')), installation);
  const text = json ? `${JSON.stringify(document, null, 2)}\n` : stringify(document);
  process.stdout.write(text);
  return EXIT.clean;
}

/** Checks of files, schemas, the schema registry and the JWKS URL. */
import { StartError } from '../../common/errors.ts';
import type { Config } from '../../config/config.ts';
import { checkFiles, type FileWarnings } from '../../config/file-check.ts';
import { SETTING_ENTRIES } from '../../config/settings.ts';
import type { SchemaRegistry } from '../../schema-registry/registry.ts';
import { implicitStream } from '../../streams/implicit-stream.ts';
import type { StreamFile } from '../../streams/stream-file.ts';
import { readStreams } from '../stream-choice.ts';
import type { Section } from './report.ts';

/**
 * Checks all files as the gateway does at its start.
 * @returns the streams; undefined if the stream file is unusable
 */
export async function checkAllFiles(
  config: Config,
  section: Section,
): Promise<StreamFile | undefined> {
  const found = await files(config, section);
  await checkJwks(config, section);
  if (config.streamsFile === undefined) return implicitStream(config);
  return found?.streams?.file ?? streamsWithoutSchemas(config, config.streamsFile);
}

async function files(config: Config, section: Section): Promise<FileWarnings | undefined> {
  try {
    const registry = await openRegistryOf(config);
    const found = await checkFiles(config, registry);
    const read = SETTING_ENTRIES.flatMap(([name, { env }]) =>
      /_FILE$|^FOREBAY_EVENT_SCHEMA$/.test(env) && config[name] !== undefined ? [env] : [],
    );
    section.ok('files', read.length === 0 ? 'none is configured' : `usable: ${read.join(', ')}`);
    for (const warning of [...found.certificates, ...found.keys]) {
      section.warn('files', warning, 'correct the file, or the setting that names it');
    }
    schemas(config, found, section);
    checkRegistry(config, registry, found.streams?.file, section);
    return found;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    for (const problem of problemsIn(error.message)) {
      section.fail('files', problem, 'correct the file: the gateway does not start with it');
    }
    section.skip(['schemas'], 'the step files failed');
    return undefined;
  }
}

async function openRegistryOf(config: Config): Promise<SchemaRegistry | undefined> {
  if (config.schemaRegistryUrl === undefined || config.streamsFile === undefined) return undefined;
  const { openRegistry } = await import('../../schema-registry/open.ts');
  return openRegistry(config);
}

/** Returns the problems of a StartError: its lines, each with those that continue it. */
function problemsIn(message: string): string[] {
  return message.split(/\n(?! )/).map((problem) => problem.replace(/\n\s*/g, '; '));
}

/** Reports the compiled schemas, and warnings about them and the stream file. */
function schemas(config: Config, { schema, streams }: FileWarnings, section: Section): void {
  const warnings = [...schema.unmatchable, ...schema.ignored, ...(streams?.warnings ?? [])];
  for (const warning of warnings) {
    section.warn('schemas', warning, 'correct the schema or the stream file (docs/schema.md)');
  }
  if (streams === undefined) {
    return section.ok('schemas', config.eventSchema ?? 'the built-in one');
  }
  const specs = streams.file.streams;
  const compiled = new Set(
    specs.flatMap(({ schema: each }) => [each?.file, each?.candidate?.file]).filter(Boolean),
  );
  const topics = new Set(specs.map(({ topic }) => topic));
  const count = `${compiled.size} compiled`;
  section.ok('schemas', `${specs.length} streams, ${topics.size} topics, schemas: ${count}`);
}

/** @param registry undefined = there is none, or no stream file */
function checkRegistry(
  config: Config,
  registry: SchemaRegistry | undefined,
  file: StreamFile | undefined,
  section: Section,
): void {
  const { schemaRegistryUrl: url } = config;
  if (url === undefined) return;
  const step = 'schema registry';
  const schemas = (file?.streams ?? []).flatMap(({ schema }) => schema?.registered ?? []);
  if (registry === undefined || schemas.length === 0) {
    const advice = 'name a subject in the stream file, or remove FOREBAY_SCHEMA_REGISTRY_URL';
    return section.warn(step, `no stream has a schema of ${url.origin}`, advice);
  }
  if (registry.failures === 0) {
    return section.ok(step, `${url.origin} answers, for ${schemas.length} schemas`);
  }
  const advice = 'check the URL, credentials and CA; meanwhile copies on disk are used';
  section.warn(step, `${url.origin}: ${registry.failures} requests failed`, advice);
}

/** Fetches the keys of FOREBAY_JWT_JWKS_URL. */
async function checkJwks({ jwtJwksUrl: url }: Config, section: Section): Promise<void> {
  if (url === undefined) return;
  const { fetchKeysOnce } = await import('../../worker/admission/remote-keys.ts');
  const result = await fetchKeysOnce(url);
  if ('keys' in result) return section.ok('JWKS', `${result.keys} keys at ${url.origin}`);
  const advice = 'check FOREBAY_JWT_JWKS_URL: without keys, tokens get identity_unavailable';
  section.fail('JWKS', `${url.origin}: ${result.failure}`, advice);
}

/** Reads the topics of a stream file with an unusable schema or key. */
async function streamsWithoutSchemas(
  config: Config,
  path: string,
): Promise<StreamFile | undefined> {
  try {
    return await readStreams(config, path);
  } catch (error) {
    if (error instanceof StartError) return undefined;
    throw error;
  }
}

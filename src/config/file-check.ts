/**
 * Validation of the files that settings name, before anything starts, by the functions that use
 * them. Otherwise every worker would start only to exit at the first invalid file.
 */
import { statSync } from 'node:fs';
import type { KeyEntry } from '../api-keys/format.ts';
import { attemptAll, StartError } from '../common/errors.ts';
import { readAdminToken } from '../primary/commands.ts';
import { DeferredLog } from '../primary/deferred-log.ts';
import { KeyFiles } from '../primary/key-files.ts';
import type { ProvidedSchemas } from '../schema-registry/open.ts';
import type { SchemaRegistry } from '../schema-registry/registry.ts';
import { checkKeyStreams } from '../streams/key-streams.ts';
import type { LoadedStreamFile } from '../streams/parse.ts';
import type { SchemaWarnings } from '../worker/intake/compile-schema.ts';
import type { Config } from './config.ts';
import { type Certificate, certificateOf, readCertificate, readPem, validityOf } from './pem.ts';

/** Warnings about usable files, a line each. */
export interface FileWarnings {
  readonly schema: SchemaWarnings;
  /** Certificates that are not valid yet, expired, or expire soon. */
  readonly certificates: readonly string[];
  readonly keys: readonly string[];
  /** Undefined without a stream file. */
  readonly streams: LoadedStreamFile | undefined;
}

/**
 * @param registry of schemas; undefined = it is opened, if there is one
 * @throws StartError that names every problem, a line each
 */
export async function checkFiles(config: Config, registry?: SchemaRegistry): Promise<FileWarnings> {
  const { eventSchema, streamsFile, tlsCertFile, tlsKeyFile, kafkaTls, kafkaSaslPasswordFile } =
    config;
  // Loaded on demand: the primary of a gateway without such files starts sooner.
  const [schemaOutcome, loadStreams, tls, kafka] = await Promise.all([
    eventSchema === undefined ? undefined : eventSchemaCheck(eventSchema, config.maxFrameBytes),
    streamsFile === undefined ? undefined : streamLoader(config, streamsFile, registry),
    tlsCertFile === undefined ? undefined : import('../worker/ingress/tls.ts'),
    kafkaTls || kafkaSaslPasswordFile !== undefined
      ? import('../kafka/client-options.ts')
      : undefined,
  ]);
  const [schema, streams, own, ofKafka = [], , keyFiles] = attemptAll(
    () => schemaOutcome?.(),
    () => loadStreams?.(),
    () => tls?.checkTlsFiles({ certFile: tlsCertFile ?? '', keyFile: tlsKeyFile ?? '' }),
    () => kafka && checkKafka(config, kafka.kafkaOptions),
    () => (isPipe(config.adminTokenFile) ? undefined : readAdminToken(config)),
    () => new KeyFiles(config, new DeferredLog(), () => {}),
  );
  if (streams !== undefined) checkKeyStreams(streams.file, keyFiles.message?.keys ?? []);
  const certificates = own === undefined ? [] : warningsOf('FOREBAY_TLS_CERT_FILE', own);
  return {
    schema: schema ?? { ignored: [], unmatchable: [] },
    certificates: [...certificates, ...ofKafka],
    keys: keyFiles.warnings,
    streams,
  };
}

/**
 * Loads the stream file of these settings; undefined without one.
 * @param keys API keys, whose streams have to exist
 * @param registry see {@link checkFiles}
 * @throws StartError if it is unusable
 */
export async function loadStreams(
  config: Config,
  keys: readonly KeyEntry[] = [],
  registry?: SchemaRegistry,
): Promise<LoadedStreamFile | undefined> {
  const { streamsFile } = config;
  if (streamsFile === undefined) return undefined;
  const load = await streamLoader(config, streamsFile, registry);
  const loaded = load();
  checkKeyStreams(loaded.file, keys);
  return loaded;
}

/** API keys for a check away from the gateway, where their file may be missing. */
export interface CheckedKeys {
  readonly keys: readonly KeyEntry[];
  /** Reason why the keys were not checked, if any. */
  readonly warnings: readonly string[];
}

/** Reads the API keys of these settings; an unusable file is a warning. */
export function keysToCheck(config: Config): CheckedKeys {
  try {
    const { message } = new KeyFiles(config, new DeferredLog(), () => {});
    return { keys: message?.keys ?? [], warnings: [] };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return { keys: [], warnings: [`${error.message}: streams of API keys are not checked`] };
  }
}

/**
 * Checks the schemas that the stream file at `path` names, for a gateway with these settings.
 * Loaded on demand: most commands need no parser.
 * @param registry see {@link checkFiles}
 * @returns a function that loads the file, once
 * @throws StartError if a file that the registry needs is unusable
 */
export async function streamLoader(
  config: Config,
  path: string,
  registry?: SchemaRegistry,
): Promise<() => LoadedStreamFile> {
  const [{ loadStreamFile, schemaPathsOf }, { streamFileContext }, { checkSchemaFiles }] =
    await Promise.all([
      import('../streams/parse.ts'),
      import('../streams/rules.ts'),
      import('../schemas/checker.ts'),
    ]);
  const paths = schemaPathsOf(path);
  const [results, registered] = await Promise.all([
    checkSchemaFiles(paths, config.maxFrameBytes),
    registeredSchemas(config, path, registry),
  ]);
  const checked = (file: string) => {
    const result = results.get(file) ?? { error: 'was named while the stream file was read' };
    if ('error' in result) throw new Error(result.error);
    const { unmatchable, ignored } = result.warnings;
    return { text: result.text, warnings: [...unmatchable, ...ignored] };
  };
  const context = streamFileContext(config, checked, registered?.find);
  const load = () => loadStreamFile(path, context);
  return () => registered?.use(load) ?? load();
}

/** Returns the schemas of the registry that a stream file names; undefined without a registry. */
async function registeredSchemas(
  config: Config,
  path: string,
  registry: SchemaRegistry | undefined,
): Promise<ProvidedSchemas | undefined> {
  if (config.schemaRegistryUrl === undefined) return undefined;
  const { openRegistry, provideSchemas } = await import('../schema-registry/open.ts');
  return provideSchemas(registry ?? openRegistry(config), path);
}

/**
 * Checks the file of FOREBAY_EVENT_SCHEMA.
 * @returns a function that returns its warnings, with setting and file, or throws a StartError
 */
async function eventSchemaCheck(
  path: string,
  maxEventBytes: number,
): Promise<() => SchemaWarnings> {
  const { checkSchemaFiles, eventSchemaWarnings } = await import('../schemas/checker.ts');
  const results = await checkSchemaFiles([path], maxEventBytes);
  return () => eventSchemaWarnings(path, results.get(path)!);
}

/**
 * Returns whether the path is a pipe, such as `<(pass show token)` in a shell: it can be read only
 * once.
 */
function isPipe(path: string | undefined): boolean {
  if (path === undefined) return false;
  try {
    return statSync(path).isFIFO();
  } catch {
    return false;
  }
}

/** Checks the files for connections to Kafka. @returns warnings */
function checkKafka(config: Config, kafkaOptions: (config: Config) => unknown): string[] {
  kafkaOptions(config);
  const files = [
    ['KAFKA_TLS_CA_FILE', config.kafkaTlsCaFile],
    ['KAFKA_TLS_CERT_FILE', config.kafkaTlsCertFile],
  ] as const;
  return files.flatMap(([env, path]) => {
    if (path === undefined) return [];
    const text = readPem(env, path, 'CERTIFICATE');
    return warningsOf(env, certificateOf(readCertificate(env, path, text)));
  });
}

const VALIDITY = {
  early: ({ notBeforeMs }: Certificate) => `is not valid before ${dateOf(notBeforeMs)}`,
  expired: ({ notAfterMs }: Certificate) => `expired on ${dateOf(notAfterMs)}`,
  ending: ({ notAfterMs }: Certificate) => `expires on ${dateOf(notAfterMs)}`,
} as const;

function warningsOf(env: string, certificate: Certificate): string[] {
  const validity = validityOf(certificate, Date.now());
  if (validity === 'valid') return [];
  return [`${env}: the certificate of ${certificate.subject} ${VALIDITY[validity](certificate)}`];
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}

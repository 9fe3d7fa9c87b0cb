/** Streams of a stream file, for commands that read their topics. */
import { EXIT, StartError } from '../common/errors.ts';
import { nearest } from '../common/nearest.ts';
import type { Config } from '../config/config.ts';
import type { CheckedRegistrySchema } from '../streams/registry-rules.ts';
import type { SchemaName, StreamFile, StreamSpec } from '../streams/stream-file.ts';
import { shown } from './command-line.ts';

const UNREAD = { text: '', warnings: [] };

/** Returns a schema of a registry with unknown content and version. */
function unreadRegistered(name: SchemaName): CheckedRegistrySchema {
  return { ...name, ...UNREAD, version: 0, id: 0, guid: '' };
}

/**
 * Reads the stream file as the gateway does, except for what affects no reader: the content of
 * schemas, and the credentials of clients.
 * @throws StartError (exit code 2) if it is unreadable or invalid
 */
export async function readStreams(config: Config, path: string): Promise<StreamFile> {
  const [{ loadStreamFile }, { streamFileContext }] = await Promise.all([
    import('../streams/parse.ts'),
    import('../streams/rules.ts'),
  ]);
  const schemas = streamFileContext(config, () => UNREAD, unreadRegistered);
  const context = { ...schemas, authenticates: true };
  try {
    return loadStreamFile(path, context).file;
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    throw new StartError(error.message, EXIT.configuration);
  }
}

/**
 * Returns the stream with this name.
 * @param path of the stream file, for the error
 * @param invalid creates the error from a message that lists the streams
 */
export function streamNamed(
  name: string,
  streams: readonly StreamSpec[],
  path: string,
  invalid: (message: string) => StartError,
): StreamSpec {
  const found = streams.find((stream) => stream.name === name);
  if (found !== undefined) return found;
  const names = streams.map((stream) => stream.name);
  const near = nearest(name, names, ({ length }) => Math.ceil(length / 3));
  const hint = near === undefined ? '.' : `; did you mean ${near}?`;
  throw invalid(`${path} has no stream ${shown(name)}${hint} Its streams: ${names.join(', ')}`);
}

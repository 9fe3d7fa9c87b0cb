/** The stream whose schema or events a command uses. */
import { printable } from '../../common/printable.ts';
import type { Config } from '../../config/config.ts';
import { SETTINGS } from '../../config/settings.ts';
import type { StreamFile, StreamSpec } from '../../streams/stream-file.ts';
import { readStreams, streamNamed } from '../stream-choice.ts';
import { unusable, wrongUsage } from './usage.ts';

/** A stream file, and one of its streams. */
export interface ChosenStream {
  /** Of the file. */
  readonly path: string;
  readonly file: StreamFile;
  readonly stream: StreamSpec;
}

export interface StreamOptions {
  /** Undefined = the only stream of the file. */
  readonly stream: string | undefined;
  /** Undefined = that of the settings. */
  readonly streamsFile: string | undefined;
}

/**
 * Finds a stream to which clients write.
 * @throws StartError (exit code 2) if there is no file, the file is invalid, or it has no such
 * stream
 */
export async function chooseStream(config: Config, options: StreamOptions): Promise<ChosenStream> {
  const path = options.streamsFile ?? config.streamsFile;
  if (path === undefined) {
    const { env } = SETTINGS.streamsFile;
    throw wrongUsage(`--stream requires a stream file: set ${env}, or name it with --streams-file`);
  }
  const file = await readStreams(config, path);
  const streams = file.streams.filter(({ internal }) => !internal);
  const [only, ...others] = streams;
  if (options.stream === undefined && only !== undefined && others.length === 0) {
    return { path, file, stream: only };
  }
  const shownPath = printable(path);
  if (options.stream === undefined) {
    const names = streams.map(({ name }) => name).join(', ');
    throw wrongUsage(
      `${shownPath} has ${streams.length} streams: choose one with --stream (${names})`,
    );
  }
  return { path, file, stream: streamNamed(options.stream, streams, shownPath, unusable) };
}

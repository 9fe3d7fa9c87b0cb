import type { Config } from '../../config/config.ts';
import { implicitStream } from '../../streams/implicit-stream.ts';
import type { StreamFile, StreamSpec } from '../../streams/stream-file.ts';

/**
 * Returns the stream of the settings, for a worker without a stream file. Checks its schema as the
 * primary does: the file may have changed since.
 * @throws StartError if the schema is unusable
 */
export async function settingsStream(config: Config): Promise<StreamFile> {
  const file = implicitStream(config);
  const { eventSchema: path, maxFrameBytes } = config;
  if (path === undefined) return file;
  const { checkSchemaFiles, eventSchemaWarnings } = await import('../../schemas/checker.ts');
  const result = (await checkSchemaFiles([path], maxFrameBytes)).get(path)!;
  eventSchemaWarnings(path, result);
  const withText = (stream: StreamSpec): StreamSpec => ({
    ...stream,
    schema: stream.schema && { ...stream.schema, text: result.text },
  });
  return { ...file, streams: file.streams.map(withText) };
}

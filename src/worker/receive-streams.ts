import type { Config } from '../config/config.ts';
import type { Counters } from '../metrics/counters.ts';
import type { Inbox } from './inbox.ts';
import type { PrimaryChannel } from './primary-channel.ts';
import type { StreamDeclarations } from './streams/create-streams.ts';
import { settingsStream } from './streams/settings-stream.ts';

/** Receives the streams of the stream file; without one, returns that of the settings. */
export async function receiveStreams(
  config: Config,
  inbox: Inbox,
  counters: Counters,
  channel: PrimaryChannel,
): Promise<StreamDeclarations> {
  if (config.streamsFile === undefined) {
    return { file: await settingsStream(config), areDeclared: false };
  }
  await channel.send({ type: 'hello' });
  const { file, version, slots } = await inbox.first('streams');
  await channel.send({ type: 'streamsApplied', version, failure: undefined });
  counters.assign(slots);
  return { file, areDeclared: true };
}

import { StartError } from '../../../common/errors.ts';
import type { Config } from '../../../config/config.ts';
import type { Transport, TransportName } from './transport.ts';
import { loadUws, uwsTransport } from './uws.ts';

export interface ChosenTransport {
  readonly name: TransportName;
  /** Reason why `auto` is not uWebSockets.js. */
  readonly reason?: string;
}

/**
 * Resolves the setting: `auto` is uWebSockets.js where its binary loads, otherwise Node.js.
 * @param load loads the binary
 */
export function chooseTransport(
  setting: Config['transport'],
  load: () => unknown = loadUws,
): ChosenTransport {
  if (setting !== 'auto') return { name: setting };
  try {
    load();
    return { name: 'uws' };
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return { name: 'node', reason: error.message };
  }
}

/** Loads the transport of the setting. @throws StartError if it is `uws` and does not load */
export async function loadTransport(setting: Config['transport']): Promise<Transport> {
  if (chooseTransport(setting).name === 'uws') return uwsTransport();
  const { nodeTransport } = await import('./node/node-transport.ts');
  return nodeTransport();
}

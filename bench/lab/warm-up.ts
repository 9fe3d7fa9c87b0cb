/**
 * Load before anything counts: V8 compiles what it has seen often enough, and what runs once per
 * produce request, a hundred times a second, is seen often enough after many seconds only.
 */
import { LoadClient } from '../load/client.ts';
import type { LoadReport } from '../load/messages.ts';
import { measure } from './measure.ts';
import type { Target } from './target.ts';

const SHAPE = {
  connections: 64,
  eventsPerSecond: 10_000,
  eventsPerFrame: 1,
  framesPerPacket: 1,
  eventBytes: 140,
};
const TIMES = { warmUpMs: 0, windowMs: 8_000, settleMs: 10_000, dropQueue: true };

/**
 * Loads all of them at the same time, so that many take no longer than one, each by a client of
 * its own.
 * @param cores the clients'
 * @returns what was sent to each, in their order
 */
export function warmUp(
  targets: readonly Target[],
  cores: string | undefined,
): Promise<LoadReport[]> {
  return Promise.all(targets.map((target, index) => load(target, `w${index}`, cores)));
}

async function load(target: Target, run: string, cores: string | undefined): Promise<LoadReport> {
  const client = new LoadClient(cores);
  try {
    const { report } = await measure(client, target, { ...SHAPE, run }, TIMES);
    return report;
  } finally {
    await client.stop();
  }
}

/**
 * Load before the first measurement: V8 compiles hot code, and code that runs once per produce
 * request, a hundred times per second, becomes hot only after many seconds.
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
 * Loads all targets at the same time, each from its own client, which takes as long as one.
 * @param cores cores of the clients
 * @returns the reports, in the order of the targets
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
    const shape = { ...SHAPE, ...target.warmUp, run };
    const { report } = await measure(client, target, shape, TIMES);
    return report;
  } finally {
    await client.stop();
  }
}

import type { Config } from '../config/config.ts';
import { KIB } from '../config/limits.ts';
import { SETTING_ENTRIES } from '../config/settings.ts';

/**
 * Blocks of the C heap from this size on are the kernel's again as soon as they are free. By default
 * glibc keeps what it has freed, up to a size that grows with use. It also keeps all smaller blocks
 * below one that is in use: parts of messages of clients that have gone would hold a worker above
 * its mark for good.
 */
const GIVEN_BACK_BYTES = 4 * KIB;
/**
 * Such blocks at a time. Each is a mapping, of which Linux gives a process 65,530 by default
 * (`vm.max_map_count`): without any left, V8 could not allocate and the worker would end.
 */
const GIVEN_BACK_BLOCKS = 32_768;

/** The slot of a worker: our primary sets it, another program's cluster does not. */
export const WORKER_SLOT = 'FOREBAY_WORKER_SLOT';

/** Variables of worker processes that differ from the primary's; undefined = workers lack it. */
export type WorkerEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * What settings mean for the environment that worker processes start in. A worker reads what
 * clients send: what the primary alone needs to know is not in its memory.
 */
export function workerEnvironment(config: Pick<Config, 'maxRssBytes'>): WorkerEnvironment {
  const kept = SETTING_ENTRIES.filter(([, { primaryOnly }]) => primaryOnly);
  return {
    ...Object.fromEntries(kept.map(([, { env }]) => [env, undefined])),
    ...(config.maxRssBytes > 0 && {
      MALLOC_MMAP_THRESHOLD_: String(GIVEN_BACK_BYTES),
      MALLOC_MMAP_MAX_: String(GIVEN_BACK_BLOCKS),
    }),
  };
}

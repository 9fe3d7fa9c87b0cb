import type { Config } from '../config/config.ts';
import { KIB } from '../config/limits.ts';
import { SETTING_ENTRIES, SETTINGS } from '../config/settings.ts';

/**
 * Size from which freed blocks of the C heap return to the kernel immediately. By default glibc
 * retains freed memory, up to a size that grows with use, and all smaller blocks below a used one:
 * message fragments of disconnected clients would keep a worker above its memory limit permanently.
 */
const RETURNED_BLOCK_BYTES = 4 * KIB;
/**
 * Maximum number of such blocks. Each is a mapping; by default, Linux allows a process 65,530
 * (`vm.max_map_count`): without a free one, V8 could not allocate and the worker would crash.
 */
const RETURNED_BLOCKS_MAX = 32_768;

/** Slot of a worker: set by our primary, not by the cluster of another program. */
export const WORKER_SLOT = 'FOREBAY_WORKER_SLOT';

/** Variables of worker processes that differ from the primary's; undefined = not inherited. */
export type WorkerEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * Derives the environment of worker processes from settings. A worker parses untrusted input:
 * secrets of the primary are not in its memory.
 * @param transport chosen by the primary for all workers
 */
export function workerEnvironment(
  config: Pick<Config, 'maxRssBytes'>,
  transport: string,
): WorkerEnvironment {
  const kept = SETTING_ENTRIES.filter(([, { primaryOnly }]) => primaryOnly);
  return {
    ...Object.fromEntries(kept.map(([, { env }]) => [env, undefined])),
    [SETTINGS.transport.env]: transport,
    ...(config.maxRssBytes > 0 && {
      MALLOC_MMAP_THRESHOLD_: String(RETURNED_BLOCK_BYTES),
      MALLOC_MMAP_MAX_: String(RETURNED_BLOCKS_MAX),
    }),
  };
}

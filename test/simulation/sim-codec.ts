import { type Codec, loadCodec } from '../../src/kafka/compression/codecs.ts';
import type { SeededRandom } from '../../testing/random.ts';
import type { VirtualClock } from './clock.ts';
import type { Report } from './report.ts';

/** Compression settings of a seed's worker. */
export interface CompressionPlan {
  readonly threadBytes: number;
  readonly failureRate: number;
  /** Upper bound of the delay by busy threads, which the whole process shares. */
  readonly threadMsMax: number;
}

const GZIP = loadCodec('gzip');

const CALM_MS_MAX = 5;

/**
 * gzip on a thread that takes virtual time. The thread reads at its end: memory released or changed
 * meanwhile yields wrong records.
 * @param calmFromMs time from which threads are fast
 */
export function simCodec(
  { threadBytes, failureRate, threadMsMax }: CompressionPlan,
  clock: VirtualClock,
  random: SeededRandom,
  report: Report,
  calmFromMs: number,
): Codec {
  const compressSync = (bytes: Buffer) => {
    if (random.chance(failureRate)) {
      report.count('compression failed');
      throw new Error('simulated: no memory');
    }
    report.count('compressed');
    return GZIP.compressSync(bytes);
  };
  const compress = (bytes: Buffer) =>
    new Promise<Buffer>((resolve, reject) => {
      const most = clock.nowMs < calmFromMs ? threadMsMax : CALM_MS_MAX;
      clock.after(random.log(0.1, most), () => {
        report.count('compressed on a thread');
        try {
          resolve(compressSync(bytes));
        } catch (error) {
          reject(error);
        }
      });
    });
  return { ...GZIP, threadBytes, compressSync, compress };
}

import { type Codec, loadCodec } from '../../src/kafka/compression/codecs.ts';
import type { SeededRandom } from '../../testing/random.ts';
import type { VirtualClock } from './clock.ts';
import type { Report } from './report.ts';

/** How a seed's worker compresses. */
export interface CompressionPlan {
  readonly threadBytes: number;
  readonly failureRate: number;
  /** The threads, which all the process shares, may be busy for so long. */
  readonly threadMsMax: number;
}

const GZIP = loadCodec('gzip');

const CALM_MS_MAX = 5;

/**
 * gzip, whose thread takes virtual time. It reads at the end of it: what was let go or changed
 * meanwhile comes out wrong.
 * @param calmFromMs from then on threads are quick
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

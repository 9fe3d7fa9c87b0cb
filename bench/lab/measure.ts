import type { LoadClient } from '../load/client.ts';
import type { LoadReport, LoadShape, LoadTimes } from '../load/messages.ts';
import { cpuSecondsOf } from './cpu.ts';
import type { Target } from './target.ts';

/** One window of load on one target. */
export interface Measurement {
  /** User and system time of all its processes per event that was acknowledged. */
  readonly cpuMicrosPerEvent: number;
  /** The same of the first process alone: the worker, where there is one. */
  readonly workerCpuMicrosPerEvent: number;
  readonly ackedPerSecond: number;
  readonly report: LoadReport;
}

/** Beyond it the load client's own lateness would be measured. */
const LAG_P99_MS_MAX = 25;

/** Opens connections, sends for `times`, and takes the CPU of the window. */
export async function measure(
  client: LoadClient,
  target: Target,
  shape: Omit<LoadShape, 'port'>,
  times: LoadTimes,
): Promise<Measurement> {
  await client.open({ ...shape, port: target.port });
  try {
    const samples: number[][] = [];
    const onMark = () => void samples.push(target.processes().map(cpuSecondsOf));
    const report = await client.run({ ...times, onMark });
    const [before = [], after = []] = samples;
    const used = after.map((seconds, index) => seconds - (before[index] ?? Number.NaN));
    const { ackedEvents, ms } = report.window;
    return {
      cpuMicrosPerEvent: (used.reduce((sum, seconds) => sum + seconds, 0) * 1e6) / ackedEvents,
      workerCpuMicrosPerEvent: (used[0]! * 1e6) / ackedEvents,
      ackedPerSecond: (ackedEvents * 1000) / ms,
      report,
    };
  } finally {
    await client.closeConnections();
  }
}

/** Why the load client itself spoilt the run; undefined when it did not. */
export function lateness({ lag }: LoadReport): string | undefined {
  if (lag.p99 <= LAG_P99_MS_MAX) return undefined;
  return `the load client was ${lag.p99.toFixed(0)} ms late (p99)`;
}

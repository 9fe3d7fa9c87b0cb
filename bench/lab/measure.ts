import type { LoadClient } from '../load/client.ts';
import type { LoadReport, LoadShape, LoadTimes } from '../load/messages.ts';
import { cpuSecondsOf } from './cpu.ts';
import type { Target } from './target.ts';

/** One window of load on one target. */
export interface Measurement {
  /** User and system time of all its processes per acknowledged event. */
  readonly cpuMicrosPerEvent: number;
  /** User and system time of the first process, the worker if there is one, per such event. */
  readonly workerCpuMicrosPerEvent: number;
  readonly ackedPerSecond: number;
  readonly report: LoadReport;
}

/** Above it, latencies would mostly measure the load client. */
const LAG_P99_MS_MAX = 25;

/** Opens connections, sends for `times`, and measures the CPU of the window. */
export async function measure(
  client: LoadClient,
  target: Target,
  shape: Omit<LoadShape, 'port'>,
  times: LoadTimes,
): Promise<Measurement> {
  await client.open({ ...shape, port: target.port, streams: target.streams });
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

/** Explains why the load client invalidated the run; undefined if it did not. */
export function lateness({ lag }: LoadReport): string | undefined {
  if (lag.p99 <= LAG_P99_MS_MAX) return undefined;
  return `the load client was ${lag.p99.toFixed(0)} ms behind schedule (p99)`;
}

import type { Fault } from '../../src/ipc.ts';
import { Faults } from '../../src/worker/faults.ts';

/** A line as logged by the primary. */
export type FaultLine = Pick<Fault, 'level' | 'message'> & Record<string, unknown>;

/** Records faults for a test. */
export function recordFaults(): { faults: Faults; lines: FaultLine[] } {
  const lines: FaultLine[] = [];
  const faults = new Faults(({ level, message, fields, held }) => {
    lines.push({ level, message, held, ...fields });
  });
  return { faults, lines };
}

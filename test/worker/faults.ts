import type { Fault } from '../../src/ipc.ts';
import { Faults } from '../../src/worker/faults.ts';

/** A line as the primary would log it. */
export type FaultLine = Pick<Fault, 'level' | 'message'> & Record<string, unknown>;

/** Faults that a test looks at. */
export function recordFaults(): { faults: Faults; lines: FaultLine[] } {
  const lines: FaultLine[] = [];
  const faults = new Faults(({ level, message, fields, held }) => {
    lines.push({ level, message, held, ...fields });
  });
  return { faults, lines };
}

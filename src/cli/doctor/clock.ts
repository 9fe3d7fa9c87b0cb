import { DOCTOR_LIMITS } from './limits.ts';
import type { StepResult } from './report.ts';

/**
 * Returns the finding about the clock of a broker.
 * @param aheadMs difference from the clock of this machine; negative = it is behind
 * @param toleranceMs of the difference: half the round trip of the measurement
 */
export function clockResult(broker: number, aheadMs: number, toleranceMs: number): StepResult {
  const step = 'clock';
  const ms = Math.round(Math.abs(aheadMs));
  const bound = Math.ceil(toleranceMs);
  if (ms <= DOCTOR_LIMITS.clockSkewMs + bound) {
    const detail = `broker ${broker}: ${ms} ms apart from this machine (± ${bound} ms)`;
    return { step, status: 'ok', detail };
  }
  const side = aheadMs > 0 ? 'ahead of' : 'behind';
  const detail = `broker ${broker} is ${ms} ms ${side} this machine (± ${bound} ms)`;
  const advice = 'synchronize both clocks (NTP): records have the time of the gateway';
  return { step, status: 'warn', detail, advice };
}

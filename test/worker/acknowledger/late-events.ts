import type { Acknowledger } from '../../../src/worker/acknowledger/acknowledger.ts';

/** Unsettled events whose senders have received `timeout`. @param cells of their stream */
export function lateEvents(acknowledger: Acknowledger, cells?: number): number {
  let sum = 0;
  acknowledger.eachLate((ofStream, events) => {
    if (cells === undefined || cells === ofStream) sum += events;
  });
  return sum;
}

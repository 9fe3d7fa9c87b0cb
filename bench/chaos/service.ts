/** Service of the load of a scenario: what its acknowledged clients get. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ChaosLedger } from './traffic.ts';
import type { World } from './world.ts';

/** Ids of events that are never acknowledged. */
const PLAIN_PREFIX = 'p-';
/** Maximum time of an event that still counts. */
const TAIL_MS = 3_000;

/** Service of the load in an interval. */
export interface Service {
  readonly eventsPerSecond: number;
  /** From sending an event to its acknowledgement; infinite if many have none. */
  readonly p99Ms: number;
}

/** Measures for `seconds`, plus the time until the last events count. */
export async function measure({ traffic: { ledger } }: World, seconds: number): Promise<Service> {
  const sinceMs = performance.now();
  await sleep(1_000 * seconds);
  const untilMs = performance.now();
  await sleep(TAIL_MS);
  return serviceIn(ledger, sinceMs, untilMs);
}

function serviceIn(ledger: ChaosLedger, sinceMs: number, untilMs: number): Service {
  const latencies: number[] = [];
  let acknowledged = 0;
  for (const [name, sentMs] of ledger.sentMs) {
    if (name.startsWith(PLAIN_PREFIX)) continue;
    const acknowledgedMs = ledger.acknowledgedMs.get(name) ?? Number.POSITIVE_INFINITY;
    if (acknowledgedMs >= sinceMs && acknowledgedMs < untilMs) acknowledged++;
    if (sentMs >= sinceMs && sentMs < untilMs) latencies.push(acknowledgedMs - sentMs);
  }
  latencies.sort((a, b) => a - b);
  return {
    eventsPerSecond: (1_000 * acknowledged) / (untilMs - sinceMs),
    p99Ms: latencies[Math.floor(0.99 * (latencies.length - 1))] ?? Number.NaN,
  };
}

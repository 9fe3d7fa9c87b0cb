import type { SeededRandom } from '../../testing/random.ts';
import type { Rates } from './faults.ts';
import type { CompressionPlan } from './sim-codec.ts';
import { type StreamsPlan, streamsFor } from './streams.ts';

/** Parameters that a seed chooses before its history begins. */
export interface Plan {
  readonly partitions: number;
  readonly bufferBytes: number;
  readonly batchBytes: number;
  readonly maxFrameBytes: number;
  readonly maxRequestBytes: number;
  readonly lingerMs: number;
  readonly eventTimeoutMs: number;
  readonly httpTimeoutMs: number;
  /** 0 = connections have no maximum age. */
  readonly maxAgeMs: number;
  /** Duration of the period of faults. */
  readonly faultsMs: number;
  readonly disasters: number;
  /** Number of times the topic is deleted and recreated. */
  readonly recreations: number;
  /** Brokers report the topic's id. */
  readonly topicIds: boolean;
  readonly rates: Rates;
  /** Sequences and epochs begin here or a little later. */
  readonly firstSequence: number;
  readonly firstEpoch: number;
  readonly ackClients: number;
  readonly plainClients: number;
  readonly httpClients: number;
  readonly events: number;
  readonly badRate: number;
  readonly garbageRate: number;
  readonly compression: CompressionPlan | undefined;
  /** Undefined = no stream file. */
  readonly streams: StreamsPlan | undefined;
}

const KIB = 1024;
const SEQUENCE_SPAN = 2 ** 31;
const LAST_EPOCH = 32_767;

export function planFor(random: SeededRandom): Plan {
  // Most seeds are calm or wild: defects that need two faults at a time need both often.
  const wildness = random.pick([0.2, 0.5, 0.8]);
  const rate = (most: number) => (random.chance(wildness) ? random.log(most / 10, most) : 0);
  const faultsMs = Math.round(random.log(3_000, 25_000));
  return {
    partitions: random.int(1, 6),
    bufferBytes: 2 ** random.pick([5, 6, 6, 7, 7, 8, 10]) * KIB,
    batchBytes: random.pick([1, 4, 16]) * KIB,
    maxFrameBytes: random.pick([4, 8, 16]) * KIB,
    maxRequestBytes: random.pick([4, 16, 64]) * KIB,
    lingerMs: random.pick([0, 5, 20]),
    eventTimeoutMs: random.pick([1_000, 2_000, 6_000, 120_000]),
    httpTimeoutMs: random.pick([300, 1_000, 5_000]),
    maxAgeMs: random.chance(0.2) ? faultsMs / 3 : 0,
    faultsMs,
    disasters: random.chance(0.1) ? 0 : Math.round(random.log(1, 25)),
    recreations: random.chance(0.4) ? random.int(1, 6) : 0,
    topicIds: random.chance(0.5),
    rates: {
      definite: rate(0.4),
      openBefore: rate(0.2),
      openAfter: rate(0.4),
      sequence: rate(0.08),
      duplicate: rate(0.5),
      requestLost: rate(0.15),
      requestLate: rate(0.2),
      requestSilent: rate(0.1),
      responseLost: rate(0.2),
      missing: rate(0.2),
      cut: rate(0.1),
    },
    firstSequence: random.chance(0.4) ? SEQUENCE_SPAN - random.int(1, 60) : random.int(0, 100),
    firstEpoch: random.chance(0.4) ? LAST_EPOCH - random.int(0, 2) : random.int(0, 3),
    ackClients: random.int(1, 6),
    plainClients: random.int(0, 1),
    httpClients: random.int(0, 2),
    events: Math.round(random.log(50, 600)),
    badRate: random.chance(0.5) ? 0 : random.log(0.005, 0.1),
    garbageRate: random.chance(0.7) ? 0 : 0.03,
    compression: random.chance(0.4) ? compressionFor(random) : undefined,
    streams: random.chance(0.5) ? streamsFor(random) : undefined,
  };
}

function compressionFor(random: SeededRandom): CompressionPlan {
  return {
    threadBytes: random.pick([0, 0, 500, Number.POSITIVE_INFINITY]),
    failureRate: random.pick([0, 0, 0.1]),
    threadMsMax: random.pick([5, 100, 3_000]),
  };
}

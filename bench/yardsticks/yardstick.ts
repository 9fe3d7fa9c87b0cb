import { freePorts } from '../../deploy/kafka/ports.ts';
import type { Places } from '../lab/cores.ts';
import { HelperProcess } from '../lab/helper-process.ts';
import type { Target } from '../lab/target.ts';
import type { BareAnswer, BareCommand } from './bare.ts';

/** Starts the floor with the gateway's linger. */
export function startFloor(places: Places, lingerMs = 10): Promise<Target> {
  return start('floor', 'bench/yardsticks/floor.ts', [String(lingerMs)], places);
}

/** Programs of the yardsticks that store events. */
const STORING = {
  naive: 'bench/yardsticks/naive.ts',
  librdkafka: 'bench/yardsticks/clients/librdkafka.ts',
  platformatic: 'bench/yardsticks/clients/platformatic.ts',
} as const;
export type StoringName = keyof typeof STORING;

/** Starts a yardstick that stores events in an existing topic; its client has to be installed. */
export function startStoring(
  name: StoringName,
  places: Places,
  { brokers, topic }: { brokers: readonly string[]; topic: string },
): Promise<Target> {
  return start(name, STORING[name], [brokers.join(','), topic], places);
}

/** Sends one record at a time, in a separate process. */
export class Bare {
  readonly #helper: HelperProcess<BareCommand, BareAnswer>;

  private constructor(helper: HelperProcess<BareCommand, BareAnswer>) {
    this.#helper = helper;
  }

  /** Starts it on an existing topic. */
  static async start(
    { worker }: Places,
    { brokers, topic, eventBytes }: BareOptions,
  ): Promise<Bare> {
    const args = [brokers.join(','), topic, String(eventBytes)];
    const file = 'bench/yardsticks/bare.ts';
    const helper = new HelperProcess<BareCommand, BareAnswer>(file, args, worker);
    await helper.send(undefined, () => true);
    return new Bare(helper);
  }

  /** Sends for a time. @returns milliseconds from a send to its response */
  async measure(times: BareCommand): Promise<{ p50: number; p99: number; sends: number }> {
    const answer = await this.#helper.send(times, () => true);
    if (answer.is !== 'report') throw new Error('the bare produce sent no report');
    return answer;
  }

  stop(): Promise<void> {
    return this.#helper.stop();
  }
}

export interface BareOptions {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly eventBytes: number;
}

async function start(
  name: string,
  file: string,
  args: readonly string[],
  { worker }: Places,
): Promise<Target> {
  const [port] = await freePorts(1);
  const helper = new HelperProcess<never, { is: 'ready' }>(file, [String(port), ...args], worker);
  await helper.send(undefined, () => true);
  return {
    name,
    port: port!,
    processes: () => [helper.pid],
    stop: () => helper.stop(),
  };
}

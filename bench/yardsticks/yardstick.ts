import { freePorts } from '../../deploy/kafka/ports.ts';
import type { Places } from '../lab/cores.ts';
import { HelperProcess } from '../lab/helper-process.ts';
import type { Target } from '../lab/target.ts';
import type { BareAnswer, BareCommand } from './bare.ts';

/** The floor, with the gateway's linger. */
export function startFloor(places: Places, lingerMs = 10): Promise<Target> {
  return start('floor', 'bench/yardsticks/floor.ts', [String(lingerMs)], places);
}

/** Its topic has to be there. */
export function startNaive(
  places: Places,
  { brokers, topic }: { brokers: readonly string[]; topic: string },
): Promise<Target> {
  return start('naive', 'bench/yardsticks/naive.ts', [brokers.join(','), topic], places);
}

/** One record at a time, in a process of its own. */
export class Bare {
  readonly #helper: HelperProcess<BareCommand, BareAnswer>;

  private constructor(helper: HelperProcess<BareCommand, BareAnswer>) {
    this.#helper = helper;
  }

  /** Its topic has to be there. */
  static async start(
    { worker }: Places,
    { brokers, topic, eventBytes }: BareOptions,
  ): Promise<Bare> {
    const args = [brokers.join(','), topic, String(eventBytes)];
    const file = 'bench/yardsticks/bare.ts';
    const helper = new HelperProcess<BareCommand, BareAnswer>(file, args, worker);
    await helper.ask(undefined, () => true);
    return new Bare(helper);
  }

  /** Sends for so long. @returns milliseconds from a send to its answer */
  async measure(times: BareCommand): Promise<{ p50: number; p99: number; sends: number }> {
    const answer = await this.#helper.ask(times, () => true);
    if (answer.is !== 'report') throw new Error('the bare produce has no report');
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
  await helper.ask(undefined, () => true);
  return {
    name,
    port: port!,
    processes: () => [helper.pid],
    stop: () => helper.stop(),
  };
}

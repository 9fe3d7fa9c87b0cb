/**
 * POSTs to a gateway or a yardstick, and their cost. autocannon is a closed loop: each connection
 * sends after its last response.
 */
import type { HttpAnswer, HttpForm, HttpLoad, HttpReport } from '../load/http-process.ts';
import { cpuSecondsOf } from './cpu.ts';
import { HelperProcess } from './helper-process.ts';
import type { Lab } from './lab.ts';
import type { Target } from './target.ts';

export const EVENT_BYTES = 140;
/** By events per request: about three seconds, below the capacity of two cores. */
export const HTTP_LOADS = {
  1: { connections: 64, requests: 9_000 },
  10: { connections: 32, requests: 5_000 },
  100: { connections: 8, requests: 1_200 },
} as const;
export type PerRequest = keyof typeof HTTP_LOADS;
const GATEWAY_FORM: HttpForm = {
  path: '/events',
  contentType: 'application/json',
  encoding: 'json',
};

/** One run of POSTs. */
export interface Post {
  /** User and system time of all the target's processes per stored event. */
  readonly cpuMicrosPerEvent: number;
  readonly report: HttpReport;
}

export function postsPerSecond({ report }: Post): number {
  return report.ok / report.seconds;
}

/** autocannon in a separate process, and the number of accepted events. */
export class HttpSource {
  readonly #lab: Lab;
  readonly #helper: HelperProcess<HttpLoad, HttpAnswer>;
  #runs = 0;
  readonly #target: Target;
  readonly #form: HttpForm;
  #accepted: number;

  private constructor(lab: Lab, target: Target, form: HttpForm) {
    this.#lab = lab;
    this.#target = target;
    this.#form = form;
    // Includes the warm-up.
    this.#accepted = lab.account(target).balance().sent;
    this.#helper = new HelperProcess('bench/load/http-process.ts', [], lab.bench.places.rest);
    lab.stopAtEnd(this.#helper);
  }

  /** @param target receives events from this source only, apart from its warm-up before */
  static async start(lab: Lab, target: Target, form = GATEWAY_FORM): Promise<HttpSource> {
    const source = new HttpSource(lab, target, form);
    // Its first answer: the process is ready. Answers without a receiver are lost.
    await source.#helper.send(undefined, () => true);
    return source;
  }

  /** Counts all CPU from the first request to the last response. */
  async post(events: PerRequest): Promise<Post> {
    const target = this.#target;
    const { connections, requests } = HTTP_LOADS[events];
    const cpu = () => target.processes().reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
    const run = `h${++this.#runs}`;
    const load: HttpLoad = {
      port: target.port,
      form: this.#form,
      run,
      connections,
      eventsPerRequest: events,
      eventBytes: EVENT_BYTES,
      requests,
    };
    const { report, used } = await this.#lab.countDecided(
      target,
      `${events} per POST`,
      async () => {
        const before = cpu();
        const report = await this.#helper.send(load, () => true);
        const used = cpu() - before;
        return { report, used };
      },
    );
    if (report.is !== 'report') throw new Error('autocannon sent no report');
    if (report.failed > 0) this.#lab.problem(target, `${report.failed} requests failed`);
    this.#accepted += report.ok * events;
    // It is unknown which of the numbered events were sent: none counts as settled.
    this.#lab.account(target).add({
      shape: { run },
      connections: report.numbered.map((sentEvents) => {
        return { sentEvents, settledEvents: 0, refused: [], uncertain: [] };
      }),
    });
    const cpuMicrosPerEvent = (used * 1e6) / (report.ok * events);
    this.#lab.bench.log(
      `${target.name} (${events} per POST): ${cpuMicrosPerEvent.toFixed(2)} us/event, ` +
        `${report.ok} ok in ${report.seconds} s, ` +
        `p50 ${report.latency.p50} p99 ${report.latency.p99} ms`,
    );
    return { cpuMicrosPerEvent, report };
  }

  /** Returns accepted events that are not in the topic, which the lab has read back. */
  missing(): number {
    const { stored, doubled } = this.#lab.account(this.#target).balance();
    return this.#accepted - (stored - doubled);
  }

  /** Verifies that the topic has each accepted event exactly once; the lab has read it back. */
  verify(): void {
    const { stored } = this.#lab.account(this.#target).balance();
    if (stored === this.#accepted) return;
    this.#lab.problem(this.#target, `accepted ${this.#accepted}, stored ${stored}`);
  }
}

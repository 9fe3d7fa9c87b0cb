/**
 * Events in HTTP bodies, compared with the same rate in WebSocket frames. autocannon is a closed
 * loop: each connection sends after its last response.
 */
import { cpuSecondsOf } from '../lab/cpu.ts';
import { cpuFigure, cpuOf, ratioFigure } from '../lab/figures.ts';
import { HelperProcess } from '../lab/helper-process.ts';
import { Lab } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import type { GatewayTarget } from '../lab/target.ts';
import type { HttpAnswer, HttpLoad, HttpReport } from '../load/http-process.ts';
import type { Scenario } from '../scenario.ts';

const EVENT_BYTES = 140;
/** By events per request: about three seconds, below the capacity of two cores. */
const LOADS = {
  1: { connections: 64, requests: 9_000 },
  10: { connections: 32, requests: 5_000 },
  100: { connections: 8, requests: 1_200 },
} as const;
type PerRequest = keyof typeof LOADS;

interface Post {
  readonly cpuMicrosPerEvent: number;
  readonly report: HttpReport;
}

export const http1 = scenarioOf(1);
export const http10 = scenarioOf(10);
export const http100 = scenarioOf(100);

function scenarioOf(events: PerRequest): Scenario {
  const { connections, requests } = LOADS[events];
  const count = events === 1 ? 'one event' : `${events} events`;
  return {
    name: `http-${events}`,
    summary: `${count} per POST from ${connections} connections`,
    minutes: 1,
    run: (bench) =>
      Lab.with(bench, async (lab) => {
        const http = await lab.gateway({ name: 'http', unordered: true });
        const ws = await lab.gateway({ name: 'ws' });
        await lab.warmUp();
        const source = new Source(lab, http, events);
        // Warms up the code that only HTTP uses.
        await source.post();
        const posts: Post[] = [];
        const frames: Measurement[] = [];
        for (let round = 0; round < bench.rounds; round++) {
          const post = await source.post();
          posts.push(post);
          const eventsPerSecond = Math.round(events * perSecond(post));
          frames.push(await lab.measure(ws, { eventsPerSecond, eventsPerFrame: events }));
        }
        await lab.verify();
        source.verify();
        const cpu = posts.map(({ cpuMicrosPerEvent }) => cpuMicrosPerEvent);
        const latency = (which: 'p50' | 'p99') => posts.map(({ report }) => report.latency[which]);
        const figures = [
          { name: 'requests/s', unit: '1/s', values: posts.map(perSecond) },
          { name: 'HTTP', unit: 'us/event', values: cpu },
          cpuFigure('WebSocket, same events per frame', frames),
          ratioFigure('HTTP / WebSocket', cpu, cpuOf(frames)),
          { name: 'response p50', unit: 'ms', values: latency('p50') },
          { name: 'response p99', unit: 'ms', values: latency('p99') },
          ...lab.memory(),
        ];
        const setup =
          `autocannon, ${connections} connections, ${requests} requests with ${count} of ` +
          `${EVENT_BYTES} bytes each, one in flight per connection; WebSocket: 64 connections, ` +
          'same events per frame and per second. 12 partitions, linger 10 ms. ' +
          `${bench.places.text}.`;
        return { setup, figures, problems: lab.problems };
      }),
  };
}

function perSecond({ report }: Post): number {
  return report.ok / report.seconds;
}

/** autocannon in a separate process, and the number of accepted events. */
class Source {
  readonly #lab: Lab;
  readonly #events: PerRequest;
  readonly #helper: HelperProcess<HttpLoad, HttpAnswer>;
  #started = false;
  #runs = 0;
  readonly #target: GatewayTarget;
  #accepted: number;

  constructor(lab: Lab, target: GatewayTarget, events: PerRequest) {
    this.#lab = lab;
    this.#target = target;
    // Includes the warm-up.
    this.#accepted = lab.account(target).balance().sent;
    this.#events = events;
    this.#helper = new HelperProcess('bench/load/http-process.ts', [], lab.bench.places.rest);
    lab.stopAtEnd(this.#helper);
  }

  /** Counts all CPU from the first request to the last response. */
  async post(): Promise<Post> {
    const target = this.#target;
    if (!this.#started) await this.#helper.send(undefined, () => true);
    this.#started = true;
    const { connections, requests } = LOADS[this.#events];
    const cpu = () => target.processes().reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
    const run = `h${++this.#runs}`;
    const load: HttpLoad = {
      port: target.port,
      run,
      connections,
      eventsPerRequest: this.#events,
      eventBytes: EVENT_BYTES,
      requests,
    };
    const before = cpu();
    const report = await this.#helper.send(load, () => true);
    const used = cpu() - before;
    if (report.is !== 'report') throw new Error('autocannon sent no report');
    if (report.failed > 0) this.#lab.problem(target, `${report.failed} requests failed`);
    this.#accepted += report.ok * this.#events;
    // It is unknown which of the numbered events were sent: none counts as settled.
    this.#lab.account(target).add({
      shape: { run },
      connections: report.numbered.map((sentEvents) => {
        return { sentEvents, settledEvents: 0, refused: [], uncertain: [] };
      }),
    });
    const cpuMicrosPerEvent = (used * 1e6) / (report.ok * this.#events);
    this.#lab.bench.log(
      `http: ${cpuMicrosPerEvent.toFixed(2)} us/event, ${report.ok} ok in ${report.seconds} s, ` +
        `p50 ${report.latency.p50} p99 ${report.latency.p99} ms`,
    );
    return { cpuMicrosPerEvent, report };
  }

  /** Verifies that the topic has each accepted event exactly once. */
  verify(): void {
    const { stored } = this.#lab.account(this.#target).balance();
    if (stored === this.#accepted) return;
    this.#lab.problem(this.#target, `accepted ${this.#accepted}, stored ${stored}`);
  }
}

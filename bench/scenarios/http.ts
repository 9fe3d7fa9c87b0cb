/** Events in HTTP bodies, compared with the same rate in WebSocket frames. */
import { cpuFigure, cpuRatio } from '../lab/figures.ts';
import {
  EVENT_BYTES,
  HTTP_LOADS,
  HttpSource,
  type PerRequest,
  type Post,
  postsPerSecond,
} from '../lab/http-source.ts';
import { Lab } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import type { Scenario } from '../scenario.ts';

export const http1 = scenarioOf(1);
export const http10 = scenarioOf(10);
export const http100 = scenarioOf(100);

function scenarioOf(events: PerRequest): Scenario {
  const { connections, requests } = HTTP_LOADS[events];
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
        const source = await HttpSource.start(lab, http);
        // Warms up the code that only HTTP uses.
        await source.post(events);
        const posts: Post[] = [];
        const frames: Measurement[] = [];
        for (let round = 0; round < bench.rounds; round++) {
          const post = await source.post(events);
          posts.push(post);
          const eventsPerSecond = Math.round(events * postsPerSecond(post));
          frames.push(await lab.measure(ws, { eventsPerSecond, eventsPerFrame: events }));
        }
        await lab.verify();
        source.verify();
        const latency = (which: 'p50' | 'p99') => posts.map(({ report }) => report.latency[which]);
        const figures = [
          { name: 'requests/s', unit: '1/s', values: posts.map(postsPerSecond) },
          cpuFigure('HTTP', posts),
          cpuFigure('WebSocket, same events per frame', frames),
          cpuRatio('HTTP / WebSocket', posts, frames),
          { name: 'response p50', unit: 'ms', values: latency('p50') },
          { name: 'response p99', unit: 'ms', values: latency('p99') },
          ...lab.decided(),
          ...lab.memory(),
        ];
        const setup =
          `autocannon, ${connections} connections, ${requests} requests with ${count} of ` +
          `${EVENT_BYTES} bytes each, plain, one in flight per connection; WebSocket: 64 connections, ` +
          'same events per frame and per second. 12 partitions, linger 10 ms. ' +
          `${bench.places.text}.`;
        return { setup, figures, problems: lab.problems };
      }),
  };
}

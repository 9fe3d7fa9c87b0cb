/** The HTTP side of {@link file://./others.ts}: POSTs to Forebay and to Strimzi's bridge. */
import { cpuFigure, cpuRatio, interleave } from '../lab/figures.ts';
import {
  HTTP_LOADS,
  HttpSource,
  type PerRequest,
  type Post,
  postsPerSecond,
} from '../lab/http-source.ts';
import type { Lab } from '../lab/lab.ts';
import type { Figure } from '../result.ts';
import { installBridge } from '../yardsticks/bridge.ts';

/** Rounds before the first measurement: a JVM compiles what runs often in about ten seconds. */
const WARM_UP_ROUNDS = 3;
const SIZES = Object.keys(HTTP_LOADS).map(Number) as PerRequest[];

export interface BridgeComparison {
  readonly figures: Figure[];
  readonly problems: readonly string[];
  /** Names with versions. */
  readonly versions: readonly string[];
  /** Names with the reason why they cannot run here. */
  readonly skipped: readonly string[];
}

/** Compares the same number of events per POST, in turn. */
export async function compareBridge(lab: Lab): Promise<BridgeComparison> {
  const installed = await installBridge(lab.bench.log);
  if ('problem' in installed) return skip(lab, installed.problem);
  const bridge = await lab.bridge(installed).catch((error: Error) => error);
  if (bridge instanceof Error) return skip(lab, bridge.message);
  const { target, form } = bridge;
  const http = await lab.gateway({ name: 'gateway', unordered: true });
  await lab.warmUp();
  const sources = {
    gateway: await HttpSource.start(lab, http),
    bridge: await HttpSource.start(lab, target, form),
  };
  for (let round = 0; round < WARM_UP_ROUNDS; round++) {
    for (const source of Object.values(sources))
      for (const events of SIZES) await source.post(events);
  }
  const figures: Figure[] = [];
  for (const events of SIZES) {
    const found = await interleave(lab.bench.rounds, {
      gateway: () => sources.gateway.post(events),
      bridge: () => sources.bridge.post(events),
    });
    figures.push(...figuresOf(events, found));
  }
  await lab.verify();
  sources.gateway.verify();
  const { doubled } = await lab.balance(target);
  figures.push(
    { name: 'bridge: accepted and missing', unit: 'events', values: [sources.bridge.missing()] },
    { name: 'bridge: stored twice', unit: 'events', values: [doubled] },
    ...lab.decided(),
  );
  const versions = [`bridge (Strimzi ${installed.version})`];
  return { figures, problems: lab.problems, versions, skipped: [] };
}

function skip(lab: Lab, reason: string): BridgeComparison {
  lab.bench.log(`bridge skipped: ${reason}`);
  return { figures: [], problems: [], versions: [], skipped: [`bridge (${reason})`] };
}

function figuresOf(events: PerRequest, found: Record<'gateway' | 'bridge', Post[]>): Figure[] {
  const each = `${events} per POST`;
  return [
    ...(['gateway', 'bridge'] as const).flatMap((name) => [
      cpuFigure(`${name}, ${each}`, found[name]),
      {
        name: `${name}, ${each}: requests/s`,
        unit: '1/s',
        values: found[name].map(postsPerSecond),
      },
      {
        name: `${name}, ${each}: response p99`,
        unit: 'ms',
        values: found[name].map(({ report }) => report.latency.p99),
      },
    ]),
    cpuRatio(`bridge / gateway, ${each}`, found.bridge, found.gateway),
  ];
}

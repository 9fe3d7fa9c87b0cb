/**
 * Forebay compared with what else stores events of browsers and devices in Kafka, with the same
 * durability: Kafka clients behind uWebSockets.js, and an HTTP bridge.
 */
import {
  cpuFigure,
  cpuOf,
  cpuRatio,
  interleave,
  latencyFigures,
  type Rounds,
} from '../lab/figures.ts';
import { Lab } from '../lab/lab.ts';
import type { Measurement } from '../lab/measure.ts';
import { sustainedRate } from '../lab/sustained.ts';
import type { Target } from '../lab/target.ts';
import { median } from '../report/stats.ts';
import type { Figure, Plot } from '../result.ts';
import type { Bench, Scenario } from '../scenario.ts';
import { CLIENTS, type ClientName, installClient } from '../yardsticks/install.ts';
import type { StoringName } from '../yardsticks/yardstick.ts';
import { type BridgeComparison, compareBridge } from './others-http.ts';

/** A kind of load, at rising rates. */
interface Load {
  /** File name of its plot. */
  readonly file: string;
  readonly title: string;
  readonly eventsPerFrame: number;
  /** Events/s, ascending. */
  readonly rates: readonly number[];
  /** One of them: that of the ratios, or the highest one below it that both servers sustain. */
  readonly compared: number;
}

/** The highest rate of a load that each server sustains. */
type Sustained = ReadonlyMap<Target, number>;

const LOADS: readonly Load[] = [
  {
    file: 'others-single',
    title: 'CPU per event, one event per frame',
    eventsPerFrame: 1,
    rates: [5_000, 10_000, 20_000, 30_000, 40_000],
    compared: 20_000,
  },
  {
    file: 'others-batched',
    title: 'CPU per event, 50 events per frame',
    eventsPerFrame: 50,
    rates: [10_000, 25_000, 50_000, 75_000, 100_000],
    compared: 100_000,
  },
];

/** Yardsticks to run, and those that cannot run here. */
interface Choice {
  readonly names: readonly StoringName[];
  /** Names with versions. */
  readonly versions: readonly string[];
  readonly skipped: readonly string[];
}

export const others: Scenario = {
  name: 'others',
  summary: 'librdkafka, @platformatic/kafka, kafkajs and Strimzi’s bridge compared',
  minutes: 12,
  standalone: true,
  async run(bench) {
    const { names, versions, skipped } = choose(bench);
    const frames = await Lab.with(bench, (lab) => compareFrames(lab, names));
    const bodies = await Lab.with(bench, compareBridge);
    const all = [...skipped, ...bodies.skipped];
    const setup =
      'One core for each server; the same 64 connections, plain 140-byte events, 12 partitions, ' +
      'linger 10 ms, no compression, acks=all, idempotent producers; acknowledged after the response. ' +
      `Yardsticks: ${[...versions, ...bodies.versions].join(', ')}. ` +
      `${all.map((reason) => `Not measured: ${reason}. `).join('')}${bench.places.text}.`;
    return {
      setup,
      figures: [...frames.figures, ...bodies.figures],
      plots: frames.plots,
      problems: [...frames.problems, ...bodies.problems],
    };
  },
};

/** Installs the clients. Without one, the scenario runs with the others. */
function choose({ log }: Bench): Choice {
  const names: StoringName[] = ['naive'];
  const versions = ['naive (kafkajs)'];
  const skipped: string[] = [];
  for (const name of Object.keys(CLIENTS) as ClientName[]) {
    const found = installClient(name, log);
    if ('version' in found) {
      names.push(name);
      versions.push(`${name} (${CLIENTS[name].module} ${found.version})`);
    } else {
      skipped.push(`${name} (${found.problem})`);
      log(`${name} skipped: ${found.problem}`);
    }
  }
  return { names, versions, skipped };
}

type Comparison = Omit<BridgeComparison, 'versions' | 'skipped'> & { readonly plots: Plot[] };

async function compareFrames(lab: Lab, names: readonly StoringName[]): Promise<Comparison> {
  const gateway = await lab.gateway();
  const yardsticks: Target[] = [];
  for (const name of names) yardsticks.push(await lab.storing(name));
  await lab.warmUp();
  const figures: Figure[] = [];
  const plots: Plot[] = [];
  for (const load of LOADS) {
    const sustained = await sustainedBy(lab, [gateway, ...yardsticks], load);
    const found = await interleave(lab.bench.rounds, runsOf(lab, load, sustained));
    figures.push(...figuresOf(load, gateway, sustained, found));
    plots.push(plotOf(load, sustained, found));
  }
  await lab.verify();
  for (const target of yardsticks) figures.push(...(await flawsOf(lab, target)));
  figures.push(...lab.decided());
  return { figures, plots, problems: lab.problems };
}

/** Leaves out servers that sustain none of the rates. */
async function sustainedBy(
  lab: Lab,
  targets: readonly Target[],
  { rates, eventsPerFrame }: Load,
): Promise<Sustained> {
  const sustained = new Map<Target, number>();
  for (const target of targets) {
    const rate = await sustainedRate(lab, target, rates, { eventsPerFrame });
    if (rate !== undefined) sustained.set(target, rate);
    else lab.bench.log(`${target.name} sustains none of these rates`);
  }
  return sustained;
}

const keyOf = ({ name }: Target, rate: number) => `${name} ${rate}`;

/** Returns the measurements of a round: all servers at one rate, then at the next. */
function runsOf(lab: Lab, { rates, eventsPerFrame }: Load, sustained: Sustained) {
  const runs: Record<string, () => Promise<Measurement>> = {};
  for (const eventsPerSecond of rates) {
    for (const [target, most] of sustained) {
      if (most < eventsPerSecond) continue;
      runs[keyOf(target, eventsPerSecond)] = () =>
        lab.measure(target, { eventsPerSecond, eventsPerFrame });
    }
  }
  return runs;
}

function figuresOf(
  load: Load,
  gateway: Target,
  sustained: Sustained,
  found: Rounds<string>,
): Figure[] {
  const figures: Figure[] = [];
  for (const [target, most] of sustained) {
    const rate = Math.min(load.compared, most, sustained.get(gateway) ?? 0);
    const [theirs, ours] = [found[keyOf(target, rate)], found[keyOf(gateway, rate)]];
    const at = loadName(load, rate);
    if (theirs !== undefined) {
      const name = `${target.name} ${at}`;
      figures.push(cpuFigure(name, theirs), ...latencyFigures(name, theirs));
    }
    if (target !== gateway && theirs !== undefined && ours !== undefined) {
      figures.push(cpuRatio(`${target.name} / gateway ${at}`, theirs, ours));
    }
    const name = `${target.name}: sustained of ${loadName(load, load.rates.at(-1)!)}`;
    figures.push({ name, unit: 'events/s', values: [most] });
  }
  return figures;
}

/** Returns the text of a load: `20,000/s`, `100,000/s, 50 per frame`. */
function loadName({ eventsPerFrame }: Load, rate: number): string {
  const each = eventsPerFrame === 1 ? '' : `, ${eventsPerFrame} per frame`;
  return `${rate.toLocaleString('en-US')}/s${each}`;
}

/** Returns the CPU per event by rate, up to the rate that each server sustains. */
function plotOf(
  { file, title, rates, eventsPerFrame }: Load,
  sustained: Sustained,
  found: Rounds<string>,
): Plot {
  const curves = [...sustained.keys()].map((target) => {
    const points = rates.flatMap((x) => {
      const runs = found[keyOf(target, x)];
      return runs === undefined ? [] : [{ x, y: median(cpuOf(runs)) }];
    });
    return { name: target.name, points };
  });
  const xLabel = `events/s, ${eventsPerFrame} per frame`;
  return { file, title, xLabel, yLabel: 'us/event', curves };
}

/** Reads back what a yardstick has stored. */
async function flawsOf(lab: Lab, target: Target): Promise<Figure[]> {
  const { missing, doubled, disordered } = await lab.balance(target);
  const figure = (what: string, count: number): Figure => {
    return { name: `${target.name}: ${what}`, unit: 'events', values: [count] };
  };
  return [
    figure('neither acknowledged nor rejected', lab.account(target).unanswered()),
    figure('acknowledged and missing', missing),
    figure('stored twice', doubled),
    figure('out of order', disordered),
  ];
}

/** Both transports of the client port: CPU per event, and memory per connection. */
import { MIB } from '../../src/config/limits.ts';
import type { TransportName } from '../../src/worker/ingress/transport/transport.ts';
import { type Cost, interleave, ratioFigure } from '../lab/figures.ts';
import { EVENT_BYTES, HTTP_LOADS, HttpSource, postsPerSecond } from '../lab/http-source.ts';
import { type IdleMemory, idleMemory, idleSetup } from '../lab/idle-memory.ts';
import { type GatewaySpec, Lab } from '../lab/lab.ts';
import type { Figure } from '../result.ts';
import type { Scenario } from '../scenario.ts';
import { BATCHED } from './batched.ts';
import { HIGH, MODERATE } from './single.ts';

/** One value per transport. */
type Pair<T> = Readonly<Record<TransportName, T>>;

const NAMES: readonly TransportName[] = ['uws', 'node'];
const FRAMES = [
  { load: 'one per frame, 20,000/s', shape: MODERATE },
  { load: 'one per frame, four frames per packet, 60,000/s', shape: HIGH },
  { load: '50 per frame, 100,000/s', shape: BATCHED },
];
const POSTS = [1, 10, 100] as const;

export const transports: Scenario = {
  name: 'transports',
  summary: 'node compared with uws: one per frame, batched, HTTP, idle connections',
  minutes: 4,
  standalone: true,
  async run(bench) {
    const { rounds, places } = bench;
    const loads = await Lab.with(bench, async (lab) => {
      const figures = [...(await frameFigures(lab, rounds)), ...(await postFigures(lab, rounds))];
      return { figures, bounded: [...lab.decided(), ...lab.memory()], problems: lab.problems };
    });
    // A lab of its own: the gateways of the loads have stopped.
    const idle = await Lab.with(bench, async (lab) => {
      return { figures: await idleFigures(lab, rounds), problems: lab.problems };
    });
    const bodies = POSTS.map(
      (events) => `${HTTP_LOADS[events].connections} connections with ${events}`,
    );
    const setup =
      'FOREBAY_TRANSPORT=uws and node, each with one worker. ' +
      `WebSocket: 64 connections, plain ${EVENT_BYTES}-byte events. HTTP: the same events by ` +
      `autocannon, ${bodies.join(', ')} per POST, one request in flight on each. ` +
      `12 partitions, linger 10 ms. ${places.text}. Memory: ${idleSetup()}`;
    const figures = [...loads.figures, ...idle.figures, ...loads.bounded];
    return { setup, figures, problems: [...loads.problems, ...idle.problems] };
  },
};

async function frameFigures(lab: Lab, rounds: number): Promise<Figure[]> {
  const targets = await onBoth((name) => lab.gateway(specOf(name, 'WebSocket')));
  await lab.warmUp();
  const runs = FRAMES.map(({ load, shape }) => {
    return [load, () => onBoth((name) => lab.measure(targets[name], shape))] as const;
  });
  const found = await interleave(rounds, Object.fromEntries(runs));
  return Object.entries(found).flatMap(([load, pairs]) => costFigures(load, pairs));
}

/** Also reads back the events of all gateways. */
async function postFigures(lab: Lab, rounds: number): Promise<Figure[]> {
  const targets = await onBoth((name) => lab.gateway({ ...specOf(name, 'HTTP'), unordered: true }));
  await lab.warmUp();
  const sources = await onBoth((name) => HttpSource.start(lab, targets[name]));
  const runs = POSTS.map((events) => {
    return [`${events} per POST`, () => onBoth((name) => sources[name].post(events))] as const;
  });
  const posts = Object.fromEntries(runs);
  // Warms up the code that only HTTP uses.
  await interleave(1, posts);
  const found = await interleave(rounds, posts);
  await lab.verify();
  for (const name of NAMES) sources[name].verify();
  return Object.entries(found).flatMap(([load, pairs]) => [
    ...costFigures(load, pairs),
    ...eachTransport(`${load}, requests`, '1/s', pairs, postsPerSecond),
  ]);
}

async function idleFigures(lab: Lab, rounds: number): Promise<Figure[]> {
  const memory = () => onBoth((name) => idleMemory(lab, specOf(name, 'idle')));
  const { pairs } = await interleave(rounds, { pairs: memory });
  const perConnection = ({ userBytes }: IdleMemory) => userBytes;
  return [
    ...eachTransport('worker, per connection', 'bytes', pairs, perConnection),
    ratioOf('worker, per connection', pairs, perConnection),
    ...eachTransport('kernel, both ends, per connection', 'bytes', pairs, (run) => run.kernelBytes),
    ...eachTransport('worker without connections', 'MiB', pairs, (run) => run.emptyBytes / MIB),
  ];
}

function specOf(name: TransportName, load: string): GatewaySpec {
  return { name: `${name}, ${load}`, env: { FOREBAY_TRANSPORT: name } };
}

/** Runs one after the other. */
async function onBoth<T>(run: (name: TransportName) => Promise<T>): Promise<Pair<T>> {
  return { uws: await run('uws'), node: await run('node') };
}

function costFigures(load: string, pairs: readonly Pair<Cost>[]): Figure[] {
  const cpu = ({ cpuMicrosPerEvent }: Cost) => cpuMicrosPerEvent;
  return [...eachTransport(load, 'us/event', pairs, cpu), ratioOf(load, pairs, cpu)];
}

/** Returns a figure for each transport. */
function eachTransport<T>(
  what: string,
  unit: string,
  pairs: readonly Pair<T>[],
  value: (run: T) => number,
): Figure[] {
  return NAMES.map((name) => {
    return { name: `${name}: ${what}`, unit, values: pairs.map((pair) => value(pair[name])) };
  });
}

function ratioOf<T>(what: string, pairs: readonly Pair<T>[], value: (run: T) => number): Figure {
  const of = (name: TransportName) => pairs.map((pair) => value(pair[name]));
  return ratioFigure(`node / uws: ${what}`, of('node'), of('uws'));
}

/** HAProxy in front of two gateways, with the configuration shipped to operators. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../deploy/kafka/ports.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import { until } from '../../testing/wait.ts';

const CONFIG = 'deploy/haproxy/haproxy.cfg';
/** Each connection takes two descriptors. */
const CONNECTIONS_MAX = 4_500;

export interface Balancer {
  readonly wsUrl: string;
  readonly httpUrl: string;
  /** Waits until it routes requests to this gateway. */
  up(index: number): Promise<void>;
  /** Number of responses that it received from this gateway, without health checks. */
  answers(index: number): Promise<number>;
}

/** Interval of its /readyz checks; FOREBAY_PRESTOP_MS of a gateway must exceed three of them. */
export const CHECK_MS = 200;

/** Part of a gateway that a balancer needs. */
type Served = { readonly port: number };

export interface BalancerOptions {
  readonly checkMs?: number;
  /** Other variables of the configuration file. */
  readonly env?: Readonly<Record<string, string>>;
  /** Modifies the configuration file. */
  readonly edit?: (config: string) => string;
}

/** Starts HAProxy and waits until it routes requests. */
export async function startBalancer(
  lifetime: Lifetime,
  gateways: readonly Served[],
  { checkMs = CHECK_MS, env = {}, edit = (config) => config }: BalancerOptions = {},
): Promise<Balancer> {
  const dir = await mkdtemp(join(tmpdir(), 'forebay-haproxy-'));
  lifetime.after(() => rm(dir, { recursive: true }));
  const [port, statsPort] = (await freePorts(2)) as [number, number];
  const file = join(dir, 'haproxy.cfg');
  await writeFile(file, edit(readFileSync(CONFIG, 'utf8')));
  const servers = gateways.map((gateway, index) => [
    `FOREBAY_SERVER_${index + 1}`,
    `127.0.0.1:${gateway.port}`,
  ]);
  let said = '';
  const child = spawn('haproxy', ['-db', '-f', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      FOREBAY_BIND: `127.0.0.1:${port}`,
      FOREBAY_STATS_BIND: `127.0.0.1:${statsPort}`,
      FOREBAY_CHECK_EVERY: `${checkMs}ms`,
      FOREBAY_MAXCONN: String(CONNECTIONS_MAX),
      ...Object.fromEntries(servers),
      ...env,
    },
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2_000);
  });
  const exited = once(child, 'exit');
  lifetime.after(() => {
    child.kill('SIGKILL');
    return exited;
  });
  const up = async (index: number) => {
    await until(() => isUp(statsPort, index), {
      everyMs: 20,
      what: () => `HAProxy to mark gateway ${index + 1} as up: ${said}`,
    });
  };
  for (const index of gateways.keys()) await up(index);
  const answers = async (index: number) => {
    const numbers = await numbersOf(statsPort, index);
    const classes = [...numbers].filter(([name]) => name.startsWith('hrsp_'));
    return classes.reduce((sum, [, count]) => sum + Number(count), 0);
  };
  const [httpUrl, wsUrl] = [`http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}/ws`];
  return { httpUrl, wsUrl, up, answers };
}

async function isUp(statsPort: number, index: number): Promise<boolean> {
  return (await numbersOf(statsPort, index)).get('status') === 'UP';
}

/** Returns the statistics of a server by name: a CSV line per server, after a line of names. */
async function numbersOf(statsPort: number, index: number): Promise<Map<string, string>> {
  const response = await fetch(`http://127.0.0.1:${statsPort}/;csv`);
  const [names = [], ...lines] = (await response.text()).split('\n').map((line) => line.split(','));
  const server = lines.find(([, name]) => name === `gateway-${index + 1}`) ?? [];
  return new Map(names.map((name, field) => [name, server[field] ?? '']));
}

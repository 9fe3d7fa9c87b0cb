/** HAProxy before several gateways, as operators would set it up. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../deploy/kafka/ports.ts';
import type { Gateway } from '../../test/support/gateway.ts';
import type { Lifetime } from '../../test/support/lifetime.ts';
import { until } from '../../test/support/wait.ts';

/** Each takes two descriptors. */
const CONNECTIONS_MAX = 4_500;

export interface Balancer {
  readonly wsUrl: string;
  readonly httpUrl: string;
  /** Waits until it sends requests to this gateway. */
  up(index: number): Promise<void>;
}

/** How often it asks /readyz; a gateway's FOREBAY_PRESTOP_MS has to be longer than two of these. */
export const CHECK_MS = 200;

function configOf(port: number, statsPort: number, gateways: readonly Gateway[]): string {
  const servers = gateways.map(
    (gateway, index) =>
      `  server gateway-${index + 1} 127.0.0.1:${gateway.port} check inter ${CHECK_MS}ms fall 1 rise 1`,
  );
  return `global
  maxconn ${CONNECTIONS_MAX}
defaults
  mode http
  timeout connect 1s
  timeout client 60s
  timeout server 60s
  timeout tunnel 1h
  retries 3
  option redispatch 1
frontend public
  bind 127.0.0.1:${port}
  default_backend gateways
frontend numbers
  bind 127.0.0.1:${statsPort}
  stats enable
  stats uri /
backend gateways
  balance leastconn
  option httpchk
  http-check send meth GET uri /readyz ver HTTP/1.1 hdr Host forebay
${servers.join('\n')}
`;
}

/** Waits until it sends requests on. */
export async function startBalancer(
  lifetime: Lifetime,
  gateways: readonly Gateway[],
): Promise<Balancer> {
  const dir = await mkdtemp(join(tmpdir(), 'forebay-haproxy-'));
  lifetime.after(() => rm(dir, { recursive: true }));
  const [port, statsPort] = (await freePorts(2)) as [number, number];
  const file = join(dir, 'haproxy.cfg');
  await writeFile(file, configOf(port, statsPort, gateways));
  let said = '';
  const child = spawn('haproxy', ['-db', '-f', file], { stdio: ['ignore', 'ignore', 'pipe'] });
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
      what: () => `gateway ${index + 1} to be up for HAProxy: ${said}`,
    });
  };
  for (const index of gateways.keys()) await up(index);
  return { httpUrl: `http://127.0.0.1:${port}`, wsUrl: `ws://127.0.0.1:${port}/ws`, up };
}

/** From its numbers: a line for each server, with its name and, in the 18th field, its state. */
async function isUp(statsPort: number, index: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${statsPort}/;csv`);
  const lines = (await response.text()).split('\n').map((line) => line.split(','));
  const server = lines.find(([, name]) => name === `gateway-${index + 1}`);
  return server?.[17] === 'UP';
}

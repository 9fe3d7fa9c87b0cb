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
}

/** How often it asks /readyz; a gateway's FOREBAY_PRESTOP_MS has to be longer than two of these. */
export const CHECK_MS = 200;

function configOf(port: number, gateways: readonly Gateway[]): string {
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
backend gateways
  balance leastconn
  option httpchk GET /readyz
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
  const [port] = await freePorts(1);
  const file = join(dir, 'haproxy.cfg');
  await writeFile(file, configOf(port!, gateways));
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
  const httpUrl = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${httpUrl}/readyz`)).ok, {
    what: () => `HAProxy: ${said}`,
  });
  return { httpUrl, wsUrl: `ws://127.0.0.1:${port}/ws` };
}

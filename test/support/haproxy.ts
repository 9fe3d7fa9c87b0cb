/** HAProxy in front of a gateway, with each way to pass on the client's address. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../deploy/kafka/ports.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import { until } from '../../testing/wait.ts';

export interface Proxied {
  /** TCP connections with a PROXY v2 header. */
  readonly tcpUrl: string;
  /** Requests, with X-Forwarded-For. */
  readonly httpUrl: string;
}

/** @param source address from which it connects to the gateway */
export async function startHaproxy(
  lifetime: Lifetime,
  gatewayPort: number,
  source: string,
): Promise<Proxied> {
  const dir = await mkdtemp(join(tmpdir(), 'forebay-haproxy-'));
  lifetime.after(() => rm(dir, { recursive: true }));
  const [tcp, http] = (await freePorts(2)) as [number, number];
  const file = join(dir, 'haproxy.cfg');
  const server = `  server gateway 127.0.0.1:${gatewayPort} source ${source}`;
  await writeFile(
    file,
    `global
  maxconn 500
defaults
  timeout connect 1s
  timeout client 60s
  timeout server 60s
listen tcp
  mode tcp
  bind 127.0.0.1:${tcp}
${server} send-proxy-v2
listen http
  mode http
  bind 127.0.0.1:${http}
  option forwardfor
${server}
`,
  );
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
  const [tcpUrl, httpUrl] = [`http://127.0.0.1:${tcp}`, `http://127.0.0.1:${http}`];
  const answers = async (url: string) => (await fetch(`${url}/livez`)).ok;
  for (const url of [tcpUrl, httpUrl]) {
    await until(() => answers(url), { what: () => `HAProxy at ${url}: ${said}` });
  }
  return { tcpUrl, httpUrl };
}

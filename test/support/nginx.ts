/** nginx with deploy/nginx/nginx.conf in front of gateways. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../deploy/kafka/ports.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import { until } from '../../testing/wait.ts';

export const NGINX_FILE = 'deploy/nginx/nginx.conf';
const TEMPORARY = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];

export interface NginxOptions {
  /** Ports of the gateways. */
  readonly gateways: readonly [number, number];
  readonly port: number;
  readonly tls?: { readonly port: number; readonly certFile: string; readonly keyFile: string };
}

/** Replaces text that occurs exactly once. @throws Error otherwise */
function replaceOnce(text: string, from: string, to: string): string {
  const parts = text.split(from);
  if (parts.length !== 2) throw new Error(`${NGINX_FILE} has '${from}' ${parts.length - 1} times`);
  return parts.join(to);
}

/** Returns the file as an operator would adapt it, with a temporary folder for system paths. */
export function nginxConfig(dir: string, { gateways, port, tls }: NginxOptions): string {
  let text = readFileSync(NGINX_FILE, 'utf8');
  for (const [index, gateway] of gateways.entries()) {
    text = replaceOnce(text, `gateway-${index + 1}:9000`, `127.0.0.1:${gateway}`);
  }
  text = replaceOnce(text, 'listen 80;', `listen 127.0.0.1:${port};`);
  if (tls !== undefined) {
    text = replaceOnce(text, '#listen 443', `listen 127.0.0.1:${tls.port}`);
    text = replaceOnce(text, '/etc/nginx/forebay.pem', tls.certFile);
    text = replaceOnce(text, '/etc/nginx/forebay-key.pem', tls.keyFile);
    text = text.replaceAll('#ssl_', 'ssl_');
  }
  const folders = TEMPORARY.map((name) => `${name}_temp_path ${join(dir, name)};`);
  text = replaceOnce(text, 'server_tokens off;', `server_tokens off; ${folders.join(' ')}`);
  // The temporary folder belongs to this user.
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  return `${user} pid ${join(dir, 'nginx.pid')}; error_log stderr notice;\n${text}`;
}

/** Returns the output of `nginx -t` for the file. */
export function checkNginx(options: NginxOptions): SpawnSyncReturns<string> {
  const dir = mkdtempSync(join(tmpdir(), 'forebay-nginx-'));
  const file = join(dir, 'nginx.conf');
  writeFileSync(file, nginxConfig(dir, options));
  const checked = spawnSync('nginx', ['-p', dir, '-e', 'stderr', '-t', '-c', file], {
    encoding: 'utf8',
  });
  rmSync(dir, { recursive: true });
  return checked;
}

export interface Nginx {
  readonly httpUrl: string;
  readonly wsUrl: string;
  readonly port: number;
  /** Contents of its error log. */
  said(): string;
}

/** Starts nginx and waits until it forwards requests. */
export async function startNginx(
  lifetime: Lifetime,
  options: Omit<NginxOptions, 'port'>,
): Promise<Nginx> {
  const dir = mkdtempSync(join(tmpdir(), 'forebay-nginx-'));
  lifetime.after(() => rmSync(dir, { recursive: true }));
  const [port] = (await freePorts(1)) as [number];
  const file = join(dir, 'nginx.conf');
  writeFileSync(file, nginxConfig(dir, { ...options, port }));
  const args = ['-p', dir, '-e', 'stderr', '-g', 'daemon off;', '-c', file];
  let said = '';
  const child = spawn('nginx', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const exited = once(child, 'exit');
  lifetime.after(() => {
    // SIGTERM is its fast shutdown, which also ends its workers.
    child.kill('SIGTERM');
    return exited;
  });
  const [httpUrl, wsUrl] = [`http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}/ws`];
  const serves = async () => (await fetch(`${httpUrl}/livez`)).ok;
  await until(serves, { what: () => `nginx: ${said}` });
  return { httpUrl, wsUrl, port, said: () => said };
}

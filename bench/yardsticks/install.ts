/** Kafka clients of the yardsticks: installed on first use, in a folder that git ignores. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), 'clients');

export const CLIENTS = {
  librdkafka: { module: '@confluentinc/kafka-javascript', native: true },
  platformatic: { module: '@platformatic/kafka', native: false },
} as const;
export type ClientName = keyof typeof CLIENTS;

/** A client that can be used, or the reason why not. */
export type Installed = { readonly version: string } | { readonly problem: string };

/**
 * Installs a client unless it is installed. A native one is downloaded as a binary, or built with
 * the headers and libraries of this machine, which takes minutes.
 */
export function installClient(name: ClientName, log: (line: string) => void): Installed {
  const { module, native } = CLIENTS[name];
  if (!isCurrent()) {
    log(`installing the Kafka clients of ${FOLDER}`);
    const { problem } = npm(['ci', '--no-progress', '--loglevel=error']);
    if (problem !== undefined) return { problem };
  }
  let problem = loadProblem(module);
  if (problem !== undefined && native) {
    log(`installing the binary of ${module}: without a download it is built, which takes minutes`);
    const built = npm(['rebuild', module, '--ignore-scripts=false', '--loglevel=error']);
    problem = built.problem ?? loadProblem(module);
  }
  if (problem !== undefined) return { problem };
  const manifest = readFileSync(join(FOLDER, 'node_modules', module, 'package.json'), 'utf8');
  return { version: (JSON.parse(manifest) as { version: string }).version };
}

/** Returns whether the packages are those of the lock file. */
function isCurrent(): boolean {
  const installed = join(FOLDER, 'node_modules/.package-lock.json');
  const lock = join(FOLDER, 'package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
}

/** Loads a client in a process of its own: a native module could take this one down. */
function loadProblem(module: string): string | undefined {
  return run(process.execPath, ['--input-type=module', '-e', `await import('${module}')`]).problem;
}

function npm(args: readonly string[]): { readonly problem: string | undefined } {
  return run('npm', args, buildSettings());
}

/**
 * Returns settings of a build: the headers next to this Node.js instead of a download, and the
 * libraries of the machine instead of their downloaded sources.
 */
function buildSettings(): Record<string, string> {
  const prefix = dirname(dirname(process.execPath));
  const headers = existsSync(join(prefix, 'include/node/node_version.h'));
  return { CKJS_LINKING: 'dynamic', ...(headers ? { npm_config_nodedir: prefix } : {}) };
}

function run(
  command: string,
  args: readonly string[],
  settings: Record<string, string> = {},
): { readonly problem: string | undefined } {
  const env = { ...process.env, ...settings };
  const { status, stderr, error } = spawnSync(command, args, {
    cwd: FOLDER,
    env,
    encoding: 'utf8',
  });
  if (status === 0) return { problem: undefined };
  return { problem: error?.message ?? reasonIn(stderr) };
}

/** Returns the reason of a failure in the output of npm, a build or Node.js: its first error. */
export function reasonIn(output: string): string {
  const [, error] = /\berror(?: \[\w+\])?: (.+)/i.exec(output) ?? [];
  const [line = 'no output'] = output.match(/\S.*/) ?? [];
  return (error ?? line).trim();
}

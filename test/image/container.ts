/** Containers of the image for its tests, with Docker or podman; nothing of them stays. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { hasTool } from '../../testing/tools.ts';

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
export const VERSION = version;
export const IMAGE = `forebay:${version}`;

/** The client alone is not enough: Docker's daemon must respond. */
const DOCKER = hasTool('docker') && spawnSync('docker', ['info']).status === 0;
const ENGINE = DOCKER ? ['docker'] : ['podman', '--cgroup-manager', 'cgroupfs'];
/** In a confined environment, podman requests more than it may have. */
const ULIMITS = ['--ulimit', 'nofile=8192:8192', '--ulimit', 'nproc=4096:4096'];
/** Podman would run health checks through systemd, which may be missing. */
const ENV = { ...process.env, DISABLE_HC_SYSTEMD: 'true' };
/** Longer than a drain of the gateway. */
const STOP_SECONDS = '40';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command of the engine, `['image', 'inspect', …]`. */
export function engine(args: readonly string[]): Outcome {
  const [command, ...first] = ENGINE;
  const options = { encoding: 'utf8', env: ENV, maxBuffer: 2 ** 26 } as const;
  const { status, stdout, stderr } = spawnSync(command!, [...first, ...args], options);
  return { code: status, stdout, stderr };
}

/** {@link engine}, for a command that must succeed. @returns its output */
export function engineOk(args: readonly string[]): string {
  const { code, stdout, stderr } = engine(args);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${code}\n${stderr}`);
  return stdout.trim();
}

/** Architecture of the image, in Go's terms: `amd64`. Its engine may emulate it. */
export function architecture(): string {
  return engineOk(['image', 'inspect', '--format', '{{.Architecture}}', IMAGE]);
}

/** Runs the image's command once, and removes the container. */
export function runOnce(args: readonly string[], options: readonly string[] = []): Outcome {
  return engine(['run', '--rm', ...ULIMITS, ...options, IMAGE, ...args]);
}

let count = 0;

/** A gateway from the image: not root, and with a read-only root file system. */
export class Container {
  readonly name = `forebay-image-test-${process.pid}-${++count}`;

  /** @param folder of this machine, readable by it at the same path */
  constructor(env: Readonly<Record<string, string>>, network: string, folder?: string) {
    const settings = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    const options = ['--read-only', '--cap-drop', 'ALL', '--network', network, ...ULIMITS];
    if (folder !== undefined) options.push('--volume', `${folder}:${folder}:ro`);
    engineOk(['run', '--detach', '--name', this.name, ...options, ...settings, IMAGE]);
  }

  exec(...args: readonly string[]): Outcome {
    return engine(['exec', this.name, ...args]);
  }

  /** Output of a piece of JavaScript in the container, parsed as JSON. */
  inside<T>(script: string): T {
    return JSON.parse(engineOk(['exec', this.name, 'node', '-p', `JSON.stringify(${script})`]));
  }

  inspect(format: string): string {
    return engineOk(['inspect', '--format', format, this.name]);
  }

  logs(): string {
    const { stdout, stderr } = engine(['logs', this.name]);
    return stdout + stderr;
  }

  /** Stops it like an operator: SIGTERM, and time. @returns the gateway's exit code */
  stop(): number {
    engineOk(['stop', '--time', STOP_SECONDS, this.name]);
    return Number(this.inspect('{{.State.ExitCode}}'));
  }

  remove(): void {
    engine(['rm', '--force', this.name]);
  }
}

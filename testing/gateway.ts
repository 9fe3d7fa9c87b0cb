/** Gateway in its own process, as in production: `node dist/main.js` on free ports. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../deploy/kafka/ports.ts';
import { Metrics } from './metrics.ts';
import { PATIENCE_MS, until } from './wait.ts';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const MAIN = join(ROOT, 'dist/main.js');
const TICKS_PER_SECOND = 100;
const ANSWER_MS_MAX = 5_000;

export interface GatewayOptions {
  readonly brokers: readonly string[];
  readonly topic: string;
  /** Settings that differ from the defaults, by environment variable. */
  readonly env?: Readonly<Record<string, string>>;
  /** False = does not wait for 200 from /readyz. */
  readonly ready?: boolean;
  readonly readyDeadlineMs?: number;
  /** Public and admin port; free ones by default. */
  readonly ports?: readonly [number, number];
  /** Node.js options for the primary and, by inheritance, its workers. */
  readonly nodeArgs?: readonly string[];
  /** File of the command, if it is not this project's. */
  readonly main?: string;
  /** Arguments of the command, such as `['micro']`. */
  readonly args?: readonly string[];
  /** Command that executes Node.js, such as `['prlimit', '--nofile=512']`. */
  readonly wrapper?: readonly string[];
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Log line: pino's JSON, or `{ msg }` for other lines. */
export type LogLine = { readonly msg?: string; readonly [field: string]: unknown };

export class Gateway {
  readonly port: number;
  readonly adminPort: number;
  /** Clients use TLS. */
  readonly secure: boolean;
  readonly log: LogLine[] = [];
  /** Lines on stderr; normally none. */
  readonly errors: string[] = [];
  readonly exit: Promise<Exit>;
  exited: Exit | undefined;
  /** Time from process start to the first 200 from /readyz. */
  startToReadyMs = Number.NaN;
  readonly #child: ChildProcess;
  readonly #startedMs = performance.now();
  readonly #killOnExit: () => void;

  constructor(options: GatewayOptions, port: number, adminPort: number) {
    const { brokers, topic, env = {}, nodeArgs = [], main = MAIN, wrapper = [] } = options;
    const ofCommand = options.args ?? [];
    if (!existsSync(main)) throw new Error(`${main} is missing: make build`);
    this.port = port;
    this.adminPort = adminPort;
    this.secure = env.FOREBAY_TLS_CERT_FILE !== undefined;
    const [command, ...args] = [...wrapper, process.execPath, ...nodeArgs, main, ...ofCommand];
    this.#child = spawn(command!, args, {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...withoutSettings(process.env),
        FOREBAY_HOST: '127.0.0.1',
        FOREBAY_PORT: String(port),
        FOREBAY_ADMIN_PORT: String(adminPort),
        FOREBAY_WORKERS: '1',
        KAFKA_BROKERS: brokers.join(','),
        KAFKA_TOPIC: topic,
        ...transportSetting(),
        ...env,
      },
    });
    this.#killOnExit = () => this.#child.kill('SIGKILL');
    process.once('exit', this.#killOnExit);
    this.exit = new Promise((done) => {
      this.#child.once('close', (code, signal) => {
        this.exited = { code, signal };
        process.off('exit', this.#killOnExit);
        done(this.exited);
      });
    });
    const { stdout, stderr } = this.#child;
    createInterface({ input: stdout! }).on('line', (line) => this.log.push(logLine(line)));
    createInterface({ input: stderr! }).on('line', (line) => this.errors.push(line));
  }

  get pid(): number {
    return this.#child.pid!;
  }
  get wsUrl(): string {
    return `${this.secure ? 'wss' : 'ws'}://127.0.0.1:${this.port}/ws`;
  }
  get httpUrl(): string {
    return `${this.secure ? 'https' : 'http'}://127.0.0.1:${this.port}`;
  }
  get adminUrl(): string {
    return `http://127.0.0.1:${this.adminPort}`;
  }

  /** Waits for /readyz. @throws Error with the end of the log on exit or timeout */
  async ready(deadlineMs = PATIENCE_MS): Promise<void> {
    const what = () => `/readyz; the log ends:\n${this.logTail()}`;
    await until(async () => this.exited !== undefined || (await this.#isReady()), {
      deadlineMs,
      everyMs: 20,
      what,
    });
    if (this.exited !== undefined) throw new Error(`it has exited; ${what()}`);
    this.startToReadyMs = performance.now() - this.#startedMs;
  }

  async #isReady(): Promise<boolean> {
    const response = await fetch(`${this.adminUrl}/readyz`, answerSoon());
    await response.arrayBuffer();
    return response.ok;
  }

  /** Scrapes /metrics once. */
  async metrics(): Promise<Metrics> {
    const response = await fetch(`${this.adminUrl}/metrics`, answerSoon());
    if (!response.ok) throw new Error(`/metrics answered ${response.status}`);
    return new Metrics(await response.text());
  }

  /** Process ids of the running workers. */
  workers(): number[] {
    const found: number[] = [];
    for (const name of readdirSync('/proc')) {
      const pid = Number(name);
      if (pid > 0 && statOf(pid)?.parent === this.pid) found.push(pid);
    }
    return found.sort((a, b) => a - b);
  }

  /** CPU seconds of the primary and its workers, including those that have ended. */
  cpuSeconds(): number {
    const own = statOf(this.pid);
    let ticks = own === undefined ? 0 : own.ticks + own.endedChildrenTicks;
    for (const pid of this.workers()) ticks += statOf(pid)?.ticks ?? 0;
    return ticks / TICKS_PER_SECOND;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Sends SIGTERM and waits for the exit; sends SIGKILL and throws if there is none. */
  async stop(deadlineMs = PATIENCE_MS): Promise<Exit> {
    if (this.exited !== undefined) return this.exited;
    const workers = this.workers();
    this.signal('SIGTERM');
    const timer = setTimeout(() => this.#kill(workers), deadlineMs);
    const exit = await this.exit;
    clearTimeout(timer);
    if (exit.signal === 'SIGKILL') throw new Error(`did not stop:\n${this.logTail()}`);
    return exit;
  }

  /** Kills it at once, workers included, in any state. */
  async kill(): Promise<void> {
    if (this.exited !== undefined) return;
    this.#kill(this.workers());
    await this.exit;
  }

  #kill(workers: readonly number[]): void {
    this.#child.kill('SIGKILL');
    for (const pid of workers) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It exited with its primary.
      }
    }
  }

  logTail(lines = 20): string {
    const log = this.log.slice(-lines).map((line) => JSON.stringify(line));
    return [...log, ...this.errors.slice(-lines)].join('\n');
  }
}

/**
 * Starts a gateway and, unless `ready` is false, waits until it is ready. It gets other ports if
 * another process has taken them.
 */
export async function startGateway(options: GatewayOptions, attempts = ATTEMPTS): Promise<Gateway> {
  const [port, adminPort] = options.ports ?? (await freePorts(2));
  const gateway = new Gateway(options, port!, adminPort!);
  if (options.ready === false) return gateway;
  try {
    await gateway.ready(options.readyDeadlineMs);
  } catch (error) {
    await gateway.kill();
    const isTaken = gateway.errors.some((line) => PORT_TAKEN.test(line));
    if (isTaken && options.ports === undefined && attempts > 1) {
      return startGateway(options, attempts - 1);
    }
    throw error;
  }
  return gateway;
}

/** Another process has bound a port that was free a moment ago. */
const PORT_TAKEN = /port \d+ is already in use/;
const ATTEMPTS = 3;

/** Times a request out: a hung primary accepts connections without a response. */
function answerSoon(): RequestInit {
  return { signal: AbortSignal.timeout(ANSWER_MS_MAX) };
}

/** The transport of all gateways of a test run: `TRANSPORT=node`, default `uws`. */
export const TRANSPORT = transportOf(process.env.TRANSPORT || 'uws');

/** @throws Error if there is no such transport */
function transportOf(name: string): 'uws' | 'node' {
  if (name === 'uws' || name === 'node') return name;
  throw new Error(`TRANSPORT must be uws or node, not ${JSON.stringify(name)}`);
}

function transportSetting(): Readonly<Record<string, string>> {
  return TRANSPORT === 'node' ? { FOREBAY_TRANSPORT: TRANSPORT } : {};
}

/** Keeps the caller's settings from leaking into a gateway under test. */
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !/^(FOREBAY|KAFKA|LOG)_/.test(name));
  return Object.fromEntries(kept);
}

function logLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch {
    return { msg: line };
  }
}

/** Parses /proc/PID/stat; undefined if there is no such process, or it is a zombie. */
function statOf(
  pid: number,
): { parent: number; ticks: number; endedChildrenTicks: number } | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The name in parentheses may contain anything: fields are counted after it, from state = 0.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z') return undefined;
  const number = (index: number) => Number(fields[index]);
  return {
    parent: number(1),
    ticks: number(11) + number(12),
    endedChildrenTicks: number(13) + number(14),
  };
}

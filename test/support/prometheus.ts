/** A real Prometheus with the project's configuration and shorter intervals. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { freePorts } from '../../deploy/kafka/ports.ts';
import type { Lifetime } from '../../testing/lifetime.ts';
import { PATIENCE_MS, until } from '../../testing/wait.ts';

export interface Recording {
  readonly record: string;
  readonly expr: string;
}

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    readonly runbook_url: string;
  };
}

export interface RuleFile {
  readonly groups: { readonly name: string; readonly rules: readonly (Recording | Alert)[] }[];
}

/** One series of a result, and its value. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const FOLDER = join(ROOT, 'deploy/prometheus');
const INTERVAL_SECONDS = 1;
const INTERVAL = `${INTERVAL_SECONDS}s`;
/** A scrape has the time of its start and ends within an interval: older samples are final. */
const SETTLED_SECONDS = 2 * INTERVAL_SECONDS;

export interface PrometheusOptions {
  /** Admin ports, as host:port. */
  readonly targets: readonly string[];
  /** Changes an alert: a test cannot wait as long as an operator. */
  readonly alert?: (alert: Alert) => Alert;
}

export class Prometheus {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /**
   * Runs a query.
   * @param atSeconds time in seconds since 1970; default now
   * @throws Error with the message of Prometheus
   */
  async query(query: string, atSeconds?: number): Promise<Sample[]> {
    const body = new URLSearchParams({ query });
    if (atSeconds !== undefined) body.set('time', String(atSeconds));
    const response = await fetch(`${this.#url}/api/v1/query`, { method: 'POST', body });
    const answer = (await response.json()) as Answer;
    if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`);
    return answer.data.result.map(({ metric, value }) => ({
      labels: metric,
      value: Number(value[1]),
    }));
  }

  /** Returns the only value of the result; undefined without one. */
  async value(query: string): Promise<number | undefined> {
    return (await this.query(query))[0]?.value;
  }

  /** Waits until `query` has a result in a scrape that began after now. */
  async sees(query: string, deadlineMs = PATIENCE_MS): Promise<void> {
    const what = `an answer of Prometheus to ${query}`;
    await until(async () => (await this.query(query)).length > 0, {
      deadlineMs,
      everyMs: 100,
      what,
    });
  }

  /** Waits for a time, in seconds since 1970, at which `query` has a final result. */
  seenAt(query: string): Promise<number> {
    const settled = async () => {
      const atSeconds = Date.now() / 1000 - SETTLED_SECONDS;
      return (await this.query(query, atSeconds)).length > 0 && atSeconds;
    };
    return until(settled, {
      deadlineMs: 60_000,
      everyMs: 100,
      what: `an answer of Prometheus to ${query}`,
    });
  }
}

interface Answer {
  readonly status: string;
  readonly error?: string;
  readonly data: {
    readonly result: readonly {
      readonly metric: Readonly<Record<string, string>>;
      readonly value: readonly [number, string];
    }[];
  };
}

/** Starts Prometheus on a port and in a folder of its own, with the rules of deploy/prometheus. */
export async function startPrometheus(
  lifetime: Lifetime,
  { targets, alert = (same) => same }: PrometheusOptions,
): Promise<Prometheus> {
  const dir = await mkdtemp(join(tmpdir(), 'forebay-prometheus-'));
  lifetime.after(() => rm(dir, { recursive: true }));
  await writeConfiguration(dir, targets, alert);
  const [port] = (await freePorts(1)) as [number];
  const args = [
    `--config.file=${join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=warn',
  ];
  let said = '';
  const child = spawn('prometheus', args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    said = (said + chunk).slice(-2_000);
  });
  const exited = once(child, 'exit');
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  lifetime.after(() => {
    process.off('exit', kill);
    kill();
    return exited;
  });
  const url = `http://127.0.0.1:${port}`;
  const ready = async () => (await fetch(`${url}/-/ready`)).ok;
  await until(ready, { what: () => `Prometheus: ${said}` });
  return new Prometheus(url);
}

/** Returns the delivered configuration with these targets and intervals of one second. */
async function writeConfiguration(
  dir: string,
  targets: readonly string[],
  change: (alert: Alert) => Alert,
): Promise<void> {
  const read = async (name: string) => parse(await readFile(join(FOLDER, name), 'utf8'));
  const write = (name: string, content: unknown) => writeFile(join(dir, name), stringify(content));
  const config = await read('prometheus.yml');
  const global = {
    scrape_interval: INTERVAL,
    scrape_timeout: INTERVAL,
    evaluation_interval: INTERVAL,
  };
  config.global = global;
  config.scrape_configs[0].static_configs = [{ targets }];
  await write('prometheus.yml', config);
  for (const name of config.rule_files as string[]) {
    const { groups } = (await read(name)) as RuleFile;
    const changed = groups.map(({ rules, ...group }) => ({
      ...group,
      rules: rules.map((rule) => ('alert' in rule ? change(rule) : rule)),
    }));
    await write(name, { groups: changed });
  }
}

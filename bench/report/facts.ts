/** Machine and versions of a run. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { kafkaVersion, ROOT } from '../../deploy/kafka/jars.ts';

export interface RunFacts {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly uws: string;
  readonly ws: string;
  readonly kafkajs: string;
  readonly kafka: string;
  /** Abbreviated; `unknown` outside of a repository. */
  readonly commit: string;
  /** No differences from the commit, apart from files that a run writes. */
  readonly clean: boolean;
  /** UTC, to the minute: `2026-01-31 12:00`. */
  readonly date: string;
}

/** Files that runs write. */
const WRITTEN = ['bench/RESULTS.md', 'bench/CHAOS.md', 'bench/results', 'bench/baseline.json'];

/** Returns the facts of a run that starts now. */
export function runFacts(env: NodeJS.ProcessEnv = process.env): RunFacts {
  const [node] = process.versions.node.split('.');
  const commit = git('rev-parse', '--short', 'HEAD');
  const changes = git('status', '--porcelain', '--', '.', ...WRITTEN.map((path) => `:!${path}`));
  return {
    cpu: cpus()[0]?.model.trim().replaceAll(/\s+/g, ' ') || 'unknown CPU',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `Linux ${release()}`,
    node: process.versions.node,
    uws: versionOf(`uWebSockets.js-node${node}`),
    ws: versionOf('ws'),
    kafkajs: versionOf('kafkajs'),
    kafka: env.KAFKA_BROKERS ? 'that of KAFKA_BROKERS' : kafkaVersion(),
    commit: commit ?? 'unknown',
    clean: changes === '',
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
  };
}

/** Returns the output of git; undefined if it fails. */
function git(...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync('git', args, { cwd: ROOT, encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

function versionOf(folder: string): string {
  try {
    const text = readFileSync(join(ROOT, 'node_modules', folder, 'package.json'), 'utf8');
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return 'unknown';
  }
}

/** Results of the same kind of machine are comparable. */
export function machineOf({ cpu, cores }: RunFacts): string {
  return `${cpu}, ${cores} ${cores === 1 ? 'core' : 'cores'}`;
}

/** Returns the commit, and whether it contains everything that ran. */
export function commitOf({ commit, clean }: RunFacts): string {
  return clean ? commit : `${commit} with changes`;
}

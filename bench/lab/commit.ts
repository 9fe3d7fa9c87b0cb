/** Another commit of this repository, built next to the current one. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { shown } from '../../src/cli/command-line.ts';
import { EXIT, StartError } from '../../src/common/errors.ts';

export interface Commit {
  /** 40 hexadecimal digits. */
  readonly hash: string;
  readonly short: string;
  /** UTC, `2026-01-31`. */
  readonly date: string;
}

const LOCK_FILE = 'package-lock.json';
const NPM_CI = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--no-progress'];
/** Of a build, for its messages. */
const OUTPUT_CHARACTERS_MAX = 2_000;

/**
 * Finds a commit by anything that git accepts: a hash, a branch, `HEAD~3`.
 * @throws StartError (exit code 2) in one line if there is none
 */
export function commitOf(revision: string): Commit {
  const wanted = ['rev-parse', '--quiet', '--verify', `${revision}^{commit}`];
  const found = spawnSync('git', wanted, { cwd: ROOT, encoding: 'utf8' });
  const hash = found.stdout?.trim() ?? '';
  if (found.status !== 0 || !/^[0-9a-f]{40}$/.test(hash)) {
    const message = `COMMIT must be a commit of this repository, not ${shown(revision)}`;
    throw new StartError(message, EXIT.configuration);
  }
  const format = ['show', '--no-patch', '--format=%h %cs', hash];
  const [short = '', date = ''] = output('git', format).trim().split(' ');
  return { hash, short, date };
}

/** Whether the sources of a commit mention a setting, such as FOREBAY_EVENT_SCHEMA. */
export function knowsSetting({ hash }: Commit, name: string): boolean {
  const args = ['grep', '--quiet', '--fixed-strings', '--word-regexp', name, hash, '--', 'src'];
  return spawnSync('git', args, { cwd: ROOT }).status === 0;
}

/**
 * Builds a commit in build/commits/, or finds the build of an earlier run there.
 * @returns the file of its command
 * @throws Error with the end of the output of a step that failed
 */
export function buildCommit(commit: Commit, log: (line: string) => void): string {
  const [node] = process.versions.node.split('.');
  const commits = join(ROOT, 'build/commits');
  const folder = join(commits, `${commit.hash}-node${node}`);
  const main = join(folder, 'dist/main.js');
  if (existsSync(main)) return main;
  const startedMs = performance.now();
  log(`building ${commit.short} in ${folder.replace(`${ROOT}/`, '')}`);
  // The name of a complete build appears at its end.
  const unfinished = `${folder}.unfinished`;
  rmSync(unfinished, { recursive: true, force: true });
  mkdirSync(unfinished, { recursive: true });
  const archive = `${unfinished}.tar`;
  output('git', ['archive', `--output=${archive}`, commit.hash]);
  output('tar', ['-xf', archive, '-C', unfinished]);
  rmSync(archive);
  installPackages(unfinished);
  output('npm', ['run', '--silent', 'build'], unfinished);
  renameSync(unfinished, folder);
  log(`built in ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
  return main;
}

/** Links the packages of the current checkout if the lock file is the same, or installs others. */
function installPackages(folder: string): void {
  const packages = join(ROOT, 'node_modules');
  if (digestOf(join(folder, LOCK_FILE)) !== digestOf(join(ROOT, LOCK_FILE))) {
    output('npm', NPM_CI, folder);
    return;
  }
  output('cp', ['--archive', '--link', packages, join(folder, 'node_modules')]);
}

function digestOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

function output(command: string, args: readonly string[], cwd = ROOT): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status === 0) return stdout;
  const text = error?.message ?? `${stdout}${stderr}`.slice(-OUTPUT_CHARACTERS_MAX);
  throw new Error(`${command} ${args[0]} failed: ${text.trim()}`);
}

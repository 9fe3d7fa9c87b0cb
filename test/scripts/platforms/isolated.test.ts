/** Whatever happens to a run, the kernel removes its mounts and processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { isolatedIn } from '../../../scripts/platforms/isolated.ts';
import { missingTool } from '../../../testing/tools.ts';
import { TYPESCRIPT } from '../../../testing/typescript.ts';
import { until } from '../../../testing/wait.ts';

const notRoot = process.getuid?.() !== 0 && 'needs root';
const skip = notRoot || missingTool('unshare') || missingTool('setpriv');
const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8');

/** A program that does not end, told by its argument; whether such a one runs. */
const sleepers = new Set<string>();
function sleeper(): string {
  const seconds = `6000.${process.pid}${sleepers.size}`;
  sleepers.add(seconds);
  return seconds;
}
function sleeps(seconds: string): boolean {
  return readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8') === `sleep\0${seconds}\0`;
    } catch {
      return false;
    }
  });
}
const untilSleeps = (seconds: string, does: boolean) =>
  until(() => sleeps(seconds) === does, { what: `${does ? 'start' : 'end'} of sleep ${seconds}` });

describe('isolated commands', { skip }, () => {
  let [folder, before] = ['', ''];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'forebay-isolated-'));
    before = mounts();
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    assert.equal(mounts(), before);
  });

  /** Runs a shell script with the root folder of this machine. */
  async function run(script: string, signal = new AbortController().signal) {
    const file = join(folder, 'output');
    const log = openSync(file, 'w');
    try {
      const { env } = process;
      const code = await isolatedIn('/', ['sh', '-c', script], { env, log, signal });
      return { code, output: readFileSync(file, 'utf8') };
    } finally {
      closeSync(log);
    }
  }

  test('they see their own processes and an empty /tmp; their exit code is kept', async () => {
    const { code, output } = await run('ls /tmp; ls -d /proc/[0-9]* | wc -l; exit 7');
    assert.equal(code, 7, output);
    assert(Number(output) < 8, output);
  });

  test('processes that they leave behind end with them', async () => {
    const seconds = sleeper();
    assert.deepEqual(await run(`sleep ${seconds} & exit 0`), { code: 0, output: '' });
    await untilSleeps(seconds, false);
  });

  test('an abort ends them', async () => {
    const seconds = sleeper();
    const aborting = new AbortController();
    const ended = run(`sleep ${seconds}; true`, aborting.signal);
    await untilSleeps(seconds, true);
    aborting.abort();
    assert.equal((await ended).code, 1);
    await untilSleeps(seconds, false);
  });

  test('a SIGKILL to their parent ends them', async (t) => {
    const seconds = sleeper();
    const module = new URL('../../../scripts/platforms/isolated.ts', import.meta.url);
    const script = `
      const { isolatedIn } = await import(${JSON.stringify(module)});
      const options = { env: process.env, signal: new AbortController().signal };
      await isolatedIn('/', ['sleep', '${seconds}'], options);`;
    const args = [...TYPESCRIPT, '--input-type=module', '--eval', script];
    const parent = spawn(process.execPath, args, { stdio: 'ignore' });
    t.after(() => parent.kill('SIGKILL'));
    await untilSleeps(seconds, true);
    parent.kill('SIGKILL');
    await untilSleeps(seconds, false);
  });
});

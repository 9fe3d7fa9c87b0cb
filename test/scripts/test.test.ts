import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning } from '../../testing/child.ts';
import { until } from '../../testing/wait.ts';

test('missing test files are named in a line, and none of the others runs', () => {
  const files = ['test/none.test.ts', 'test/common/command-name.test.ts', 'test/no.test.ts'];
  const args = ['--import', 'tsx', 'scripts/test.ts', ...files];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(stderr, 'test: no such file: test/none.test.ts, test/no.test.ts\n');
  assert.deepEqual([status, stdout], [2, '']);
});

/** Runs a test of its own that needs a tool, by scripts/test.ts. */
function runTestOf(tool: string, env: NodeJS.ProcessEnv) {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-tools-'));
  const file = join(folder, 'needs.test.ts');
  const tools = new URL('../../testing/tools.ts', import.meta.url);
  writeFileSync(
    file,
    `import { test } from 'node:test';
    import { missingTool } from '${tools}';
    test('it has it', { skip: missingTool('${tool}') }, () => {});`,
  );
  const { NODE_TEST_CONTEXT: _, REQUIRE_TOOLS: __, ...rest } = process.env;
  const args = ['--import', 'tsx', 'scripts/test.ts', file];
  const options = { encoding: 'utf8', env: { ...rest, ...env } } as const;
  const run = spawnSync(process.execPath, args, options);
  rmSync(folder, { recursive: true });
  return run;
}

test('a test whose tool is missing is skipped by name and counted; REQUIRE_TOOLS=1 makes it fail', () => {
  // An empty folder in place of those where kcat may be.
  const PATH = mkdtempSync(join(tmpdir(), 'forebay-path-'));
  try {
    const skipped = runTestOf('kcat', { PATH });
    assert.equal(skipped.status, 0, skipped.stderr);
    assert.match(skipped.stdout, /it has it .*# needs kcat/);
    assert.match(skipped.stdout, /skipped 1\b/);
    const required = runTestOf('kcat', { PATH, REQUIRE_TOOLS: '1' });
    assert.equal(required.status, 1, required.stdout);
    assert.match(required.stdout, /REQUIRE_TOOLS=1, and kcat is missing/);
  } finally {
    rmSync(PATH, { recursive: true });
  }
});

/** Runs a test that fails in its first run, and one that passes, by scripts/test.ts. */
function runUnsteady(more: string, env: NodeJS.ProcessEnv) {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-again-'));
  const steady = join(folder, 'steady.test.ts');
  const unsteady = join(folder, 'unsteady.test.ts');
  writeFileSync(steady, "import { test } from 'node:test'; test('it passes', () => {});");
  writeFileSync(
    unsteady,
    `import { existsSync, writeFileSync } from 'node:fs';
    import { test } from 'node:test';
    ${more}
    test('it passes from the second run on', () => {
      if (existsSync('${folder}/ran')) return;
      writeFileSync('${folder}/ran', '');
      throw new Error('the first run');
    });`,
  );
  const { NODE_TEST_CONTEXT: _, RERUN_FAILED: __, ...rest } = process.env;
  const args = ['--import', 'tsx', 'scripts/test.ts', steady, unsteady];
  const options = { encoding: 'utf8', env: { ...rest, ...env } } as const;
  const { status, stdout } = spawnSync(process.execPath, args, options);
  rmSync(folder, { recursive: true });
  return { status, stdout, counts: /pass (\d+)\n.*fail (\d+)/.exec(stdout)?.slice(1) };
}

test('with RERUN_FAILED=1 a failed file runs again and is named; without it, the run fails', () => {
  const again = runUnsteady('', { RERUN_FAILED: '1' });
  assert.deepEqual([again.status, again.counts], [0, ['2', '0']], again.stdout);
  assert.match(again.stdout, /run again, .*unsteady\.test\.ts: it passes from the second run on/);
  const once = runUnsteady('', {});
  assert.deepEqual([once.status, once.counts], [1, ['1', '1']], once.stdout);
});

test('a test that compares acknowledged with stored events never runs again', () => {
  const { status, counts } = runUnsteady('({}).ledger?.reconcile();', { RERUN_FAILED: '1' });
  assert.deepEqual([status, counts], [1, ['1', '1']]);
});

test('a run of many files prints no warnings', () => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-files-'));
  try {
    const files = Array.from({ length: 11 }, (_, index) => join(folder, `${index}.test.ts`));
    for (const file of files) writeFileSync(file, "import 'node:test';");
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const args = ['--import', 'tsx', 'scripts/test.ts', ...files];
    const run = spawnSync(process.execPath, args, { encoding: 'utf8', env });
    assert.equal(run.stderr, '');
    assert.match(run.stdout, /pass 11\b/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
  test(`a ${signal} to the runner alone leaves no process of a test behind`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'forebay-left-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const pidsFile = join(folder, 'pids');
    const file = join(folder, 'endless.test.ts');
    writeFileSync(
      file,
      `import { spawn } from 'node:child_process';
      import { renameSync, writeFileSync } from 'node:fs';
      import { test } from 'node:test';
      test('it does not end', async () => {
        const child = spawn('sleep', ['600']);
        writeFileSync('${pidsFile}.new', process.pid + ' ' + child.pid);
        renameSync('${pidsFile}.new', '${pidsFile}');
        await new Promise(() => setInterval(() => {}, 1_000));
      });`,
    );
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const args = ['--import', 'tsx', 'scripts/test.ts', file];
    const runner = spawn(process.execPath, args, { env, stdio: 'ignore' });
    t.after(() => runner.kill('SIGKILL'));
    await until(() => existsSync(pidsFile), { deadlineMs: 60_000, what: 'the start of the test' });
    const pids = readFileSync(pidsFile, 'utf8').split(' ').map(Number);
    t.after(() => {
      for (const pid of pids.filter(isRunning)) process.kill(pid, 'SIGKILL');
    });
    assert.deepEqual(pids.map(isRunning), [true, true]);
    const exit = once(runner, 'exit');
    runner.kill(signal);
    const [code] = await exit;
    assert.equal(code, signal === 'SIGKILL' ? null : 1);
    await until(() => !pids.some(isRunning), { what: 'the end of the test and its child' });
  });
}

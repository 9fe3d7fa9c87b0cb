import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRunning } from '../../testing/child.ts';
import { TYPESCRIPT } from '../../testing/typescript.ts';
import { until } from '../../testing/wait.ts';

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`${signal} ends a bench and the gateways that it started`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'forebay-interrupted-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const main = join(folder, 'gateway.js');
    writeFileSync(main, 'setInterval(() => {}, 1000);');
    const bench = join(folder, 'bench.ts');
    const moduleOf = (name: string) => new URL(`../../testing/${name}.ts`, import.meta.url).href;
    writeFileSync(
      bench,
      `import { Gateway } from '${moduleOf('gateway')}';
      import { exitWhenInterrupted } from '${moduleOf('interruption')}';
      exitWhenInterrupted();
      const options = { brokers: [], topic: 'none', main: ${JSON.stringify(main)} };
      console.log(new Gateway(options, 1, 2).pid);
      setInterval(() => {}, 1000);`,
    );
    const child = spawn(process.execPath, [...TYPESCRIPT, bench], { stdio: 'pipe' });
    const ended = once(child, 'exit');
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const pid = Number(await until(() => /^(\d+)\n/.exec(text)?.[1]));
    assert(isRunning(pid));
    child.kill(signal);
    assert.deepEqual(await ended, [code, null]);
    await until(() => !isRunning(pid), { what: 'the end of the gateway' });
  });
}

/**
 * The command blocks of README.md and docs/ work as described: they are run, here and in
 * commands.long.test.ts, in a folder like the project's, on free ports in place of 9000, 9001, 8000
 * and 9090 and with the Kafka of the tests; or another test runs the same; or they are marked as
 * not runnable in a test.
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { BLOCKS, claimed, ELSEWHERE, fences } from './blocks.ts';
import { type Fence, fencesOf } from './fences.ts';
import { serving, stand, useStand } from './use-stand.ts';

const SHELLS = ['sh', 'bash', 'console', 'shell', 'python', 'py'];
const MARKS = ['docker', 'cluster', 'root', 'network', 'long'];

useStand();

test('README, getting started: run, listen, send, and what Prometheus reports', async (t) => {
  await serving(BLOCKS.run);
  const listener = await serving(BLOCKS.listen, /forebay: reading/);
  const terminal = stand.terminal();
  const run = (block: string) => terminal.run(stand.here(block));
  assert.match(
    await run(BLOCKS.curl),
    /^HTTP\/1.1 200 OK\r\n[\s\S]*\{"accepted":1,"errors":\[\]\}/m,
  );
  await listener.says(/"msg":"hello","clientId":"me"/);
  assert.match(await run(BLOCKS.listenOne), /"msg":"hello","clientId":"me"/);
  await t.test('Prometheus scrapes it', { skip: missingTool('prometheus') }, async () => {
    await serving(BLOCKS.prometheus, /Server is ready/);
    const up = async () => /"value":\[[\d.]+,"1"\]/.test(await run(BLOCKS.query));
    await until(up, { everyMs: 200, what: 'up of the gateway' });
  });
});

/** Problem of a block: undefined if it is run, or marked with a reason. */
function complaint({ at, page, language, mark, text }: Fence): string | undefined {
  const isConsole = language === '' && text.startsWith('$ ');
  if (!isConsole && !SHELLS.includes(language)) return undefined;
  if (mark !== undefined) return MARKS.includes(mark) ? undefined : `${at}: what is '${mark}'?`;
  const known =
    claimed.has(text) || ELSEWHERE.some((a) => a.page === page && text.includes(a.text));
  // Transcripts of `make listen`: the test of its blocks checks their options too.
  if (known || (isConsole && page === 'docs/listen.md')) return undefined;
  return `${at}: no test runs it, and it is not marked (${MARKS.join(', ')})`;
}

test('every command block is run here or by another test, or is marked', () => {
  const complaints = fences.map(complaint).filter((text) => text !== undefined);
  assert.deepEqual(complaints, []);
  const commands = fences.filter(({ language }) => SHELLS.includes(language));
  assert(commands.length > 30, `${commands.length} blocks were looked at`);
  const unknown = fencesOf('docs/x.md', 'text\n\n```sh\nrm x\n```\n\n```sh moon\nls\n```\n');
  assert.deepEqual(unknown.map(complaint), [
    'docs/x.md:3: no test runs it, and it is not marked (docker, cluster, root, network, long)',
    "docs/x.md:7: what is 'moon'?",
  ]);
});

test('the tests that run blocks elsewhere exist, and their blocks too', () => {
  for (const { page, text, test: file, has } of ELSEWHERE) {
    assert(
      fences.some((fence) => fence.page === page && fence.text.includes(text)),
      text,
    );
    assert(existsSync(join(ROOT, file)), file);
    assert(readFileSync(join(ROOT, file), 'utf8').includes(has), `${file} has ${has}`);
  }
});

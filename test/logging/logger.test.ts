import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { TYPESCRIPT } from '../../testing/typescript.ts';
import { PATIENCE_MS } from '../../testing/wait.ts';

/** Output of createLogger for a line with texts chosen by a client or broker. */
async function written(pretty: boolean, text: string): Promise<string> {
  const file = 'test/fixtures/hostile-log.ts';
  const child = spawn(process.execPath, [...TYPESCRIPT, file, String(Number(pretty)), text], {
    env: { PATH: process.env.PATH, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: PATIENCE_MS,
  });
  let output = '';
  for await (const data of child.stdout.setEncoding('utf8')) output += data;
  return output;
}

const HOSTILE = 'a\u001b[2J\u007f\u009b2J\u0085b\u061c\u200e\u202egpj\u2066\u2028c\u2029';

test('texts of clients and brokers cannot control a terminal, in JSON and in pretty lines', async () => {
  const json = await written(false, HOSTILE);
  assert.match(json, /^[\n\x20-\x7e]*$/);
  const { field, err, deep, msg, ...rest } = JSON.parse(json);
  assert.deepEqual([field, msg, deep], [HOSTILE, HOSTILE, { list: [HOSTILE] }]);
  assert(err.message.startsWith(HOSTILE));
  assert(Object.hasOwn(rest, HOSTILE), 'names of fields too');
  const lines = await written(true, HOSTILE);
  assert.match(lines, /^[\n\x20-\x7e]*$/);
  assert.match(lines, /u009b2J/);
});

test('user info and query of URLs in log lines are hidden', async () => {
  const url = 'https://me:s3cret@host.example/keys?token=s3cret';
  for (const pretty of [false, true]) {
    const output = await written(pretty, `cannot get "${url}"`);
    assert(!output.includes('s3cret'), output);
    assert(output.includes('https://(hidden)@host.example/keys?(hidden)'), output);
  }
});

/** Runs the fixture with this stdout. */
function start(bytes: number, stdout: number | 'pipe') {
  const file = 'test/fixtures/logging-process.ts';
  const child = spawn(process.execPath, [...TYPESCRIPT, file, String(bytes)], {
    stdio: ['ignore', stdout, 'pipe'],
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  let errors = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  return { child, ended: once(child, 'close').then(([code]) => ({ code, errors })) };
}

test('a log that cannot be written neither blocks nor ends the process', async () => {
  const full = openSync('/dev/full', 'w');
  const { ended } = start(10, full);
  closeSync(full);
  assert.deepEqual(await ended, { code: 0, errors: 'went on\n' });
});

test('a closed pipe is no error', async () => {
  const { child, ended } = start(10, 'pipe');
  child.stdout!.destroy();
  assert.deepEqual(await ended, { code: 0, errors: 'went on\n' });
});

test('lines longer than the pipe arrive complete', async () => {
  const { child, ended } = start(300_000, 'pipe');
  const chunks: Buffer[] = [];
  child.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk));
  assert.equal((await ended).code, 0);
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
  const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg.length);
  assert.deepEqual(messages, [300_000, 300_000, 300_000, 'the last one'.length]);
});

/** Logs as the fixture does, without its loaders: they open stdout, which makes it non-blocking. */
const BARE = `
  import { createLogger } from '${ROOT}/dist/logging/logger.js';
  const logger = createLogger({ logLevel: 'info', logPretty: false }, 'writer');
  for (let number = 1; number <= 3; number++) logger.info({ number }, 'x'.repeat(300_000));
  setTimeout(() => process.stderr.write('went on'), 50);
`;

test('a stalled reader does not block a process that has not opened stdout', async () => {
  const args = ['--input-type=module', '--eval', BARE];
  const stdio = ['ignore', 'pipe', 'pipe'] as const;
  const child = spawn(process.execPath, args, { stdio: [...stdio], timeout: PATIENCE_MS });
  child.stdout!.pause();
  const [text] = (await once(child.stderr!, 'data')) as [Buffer];
  assert.equal(String(text), 'went on');
  await once(child, 'exit');
});

test('it does not wait long for a stalled reader', async () => {
  const { child } = start(300_000, 'pipe');
  child.stdout!.pause();
  const [first] = (await once(child.stderr!, 'data')) as [string];
  assert.equal(first, 'went on\n');
  const chunks: Buffer[] = [];
  child.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(child, 'close');
  const lines = Buffer.concat(chunks).toString().split('\n');
  assert.match(lines[0]!, /^\{"level":"info".*"number":1,"msg":"x+$/);
  assert.equal(lines.length, 1, 'the others were dropped whole');
});

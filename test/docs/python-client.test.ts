/** The example client in docs/examples, run as its first lines say. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, test } from 'node:test';
import { KeyFile } from '../../testing/key-file.ts';
import { missingPython, pythonWith } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { CutProxy } from '../page/cut-proxy.ts';
import { useStage } from '../support/use-stage.ts';

const skip = missingPython('websockets');
const keys = new KeyFile();
const stage = useStage(() => {
  if (skip) return undefined;
  keys.write('py');
  return { env: { KAFKA_LINGER_MS: '200', FOREBAY_KEYS_FILE: keys.path } };
});
let proxy: CutProxy;
stage.atStart(async () => {
  proxy = await new CutProxy(stage.gateway.port).listen();
  stage.atEnd(() => proxy.close());
});
after(() => keys.remove());

function start(env: NodeJS.ProcessEnv) {
  const url = `${proxy.url.replace('http', 'ws')}/ws`;
  const args = ['docs/examples/client.py', url];
  return spawn(pythonWith('websockets')!, args, { env: { ...process.env, ...env } });
}

/** Runs it; `meanwhile` receives its lines as they are printed. */
function run(events: readonly string[], meanwhile: (lines: string[]) => void = () => {}) {
  const child = start({ KEY: keys.token('py') });
  const lines: string[] = [];
  let [rest, errors] = ['', ''];
  child.stdout.on('data', (data) => {
    const parts = (rest + data).split('\n');
    rest = parts.pop()!;
    lines.push(...parts);
    meanwhile(lines);
  });
  child.stderr.on('data', (data) => {
    errors += data;
  });
  child.stdin.end(`${events.join('\n')}\n`);
  return new Promise<{ lines: string[]; errors: string; code: number | null }>((done) => {
    child.once('close', (code) => done({ lines, errors, code }));
  });
}

const event = (id: number) =>
  JSON.stringify({ msg: 'hello', clientId: 'py', timestamp: 1, id: `py-${id}` });

test('Python: events are stored in order, beyond one grant of credit; invalid ones are rejected', {
  skip,
}, async () => {
  const events = Array.from({ length: 200 }, (_, id) => event(id));
  const { lines, errors, code } = await run([
    ...events.slice(0, 3),
    '{"msg":1}',
    ...events.slice(3),
  ]);
  assert.equal(errors, '');
  assert.equal(code, 0);
  assert.match(
    lines.filter((line) => line.startsWith('refused')).join(),
    /^refused schema event 0/,
  );
  const stored = lines.filter((line) => line.startsWith('stored'));
  assert.deepEqual(
    stored,
    events.map((text) => `stored ${text}`),
  );
  assert.deepEqual(await stage.newValues(), events);
});

test('Python: a cut connection, a killed worker: unacknowledged events are resent', {
  skip,
}, async () => {
  const events = Array.from({ length: 300 }, (_, id) => event(1_000 + id));
  const faults = [
    () => proxy.cut(),
    () => {
      for (const worker of stage.gateway.workers()) process.kill(worker, 'SIGKILL');
    },
  ];
  const done: number[] = [];
  const { lines, errors, code } = await run(events, ({ length }) => {
    if (length >= 64 * (done.length + 1)) faults.shift()?.();
    if (length >= 64 * (done.length + 1)) done.push(length);
  });
  assert.match(errors, /^(no connection: .*\n)+$/);
  assert.equal(code, 0);
  assert.equal(faults.length, 0, 'both have happened');
  assert.deepEqual(new Set(lines), new Set(events.map((text) => `stored ${text}`)));
  const stored = await until(async () => new Set(await stage.newValues()));
  assert.deepEqual(stored, new Set(events));
});

test('Python: without a key it reports the rejection on stderr', { skip }, async () => {
  const child = start({});
  let errors = '';
  child.stderr.on('data', (data) => {
    errors += data;
  });
  child.stdin.end(event(2_000));
  try {
    await until(() => /^no connection: .*\b401\b/.test(errors), { what: () => `a 401: ${errors}` });
  } finally {
    child.kill('SIGKILL');
  }
});

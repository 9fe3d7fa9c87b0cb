/** The built client package, as dependents get it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';

const BUILT = 'dist/client/client.js';
/** In the project, so that it resolves packages like a dependent. */
const folder = mkdtempSync(resolve('dist/client-consumer-'));
after(() => rmSync(folder, { recursive: true }));

test('it has less than 9 kB gzipped, and imports nothing', () => {
  const built = readFileSync(BUILT);
  const { length } = gzipSync(built, { level: 9 });
  assert(length < 9_000, `${length} bytes`);
  assert.doesNotMatch(String(built), /\b(import|require)\s*\(?['"]/);
});

test('forebay/client exports only createClient and SendError', async () => {
  const client = (await import(import.meta.resolve('forebay/client'))) as object;
  assert.deepEqual(Object.keys(client).sort(), ['SendError', 'createClient']);
});

/** Compiles `code` as a dependent's module. @returns the compiler's errors */
function compile(code: string): string {
  const file = join(folder, 'consumer.ts');
  writeFileSync(file, code);
  const options = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022'];
  const more = ['--ignoreConfig', '--types', '', '--lib', 'es2022'];
  const run = spawnSync('node_modules/.bin/tsc', [...options, ...more, file], { encoding: 'utf8' });
  return run.stdout + run.stderr;
}

test('its types enforce the API, with neither DOM nor Node types', () => {
  const good = `
    import { createClient, type Client, type SendError, type Status } from 'forebay/client';
    const client: Client = createClient({
      url: 'ws://127.0.0.1:9000/ws',
      key: 'k',
      fallbackUrl: 'http://127.0.0.1:9000/events',
      idField: 'eventId',
      maxBufferedBytes: 1,
      onStatus: ({ state, stored }: Status) => { const all: [string, number] = [state, stored]; },
      onSent: (event: object, attempt: number) => {},
      onRefused: (event: object, { code }: SendError) => { const text: string = code; },
      onDropped: (event: object, error: SendError) => {},
    });
    createClient({ url: '', key: () => undefined });
    createClient({ url: '', key: async () => 'k' });
    const sent: Promise<void> = client.send({ msg: 'x' });
    const flushed: Promise<void> = client.flush();
    const closed: Promise<void> = client.close();
  `;
  assert.equal(compile(good), '');
  assert.match(compile("import { createClient } from 'forebay/client'; createClient({});"), /url/);
  const text =
    "import { createClient } from 'forebay/client'; createClient({ url: '' }).send('x');";
  assert.match(compile(text), /TS2345/);
});

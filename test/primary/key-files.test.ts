import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { tokenHash } from '../../src/api-keys/token.ts';
import { readConfig } from '../../src/config/config.ts';
import { DeferredLog } from '../../src/primary/deferred-log.ts';
import { KeyFiles } from '../../src/primary/key-files.ts';
import { isRunning, type Line } from '../../testing/child.ts';
import { did, errorLines, host, messages, pidOf, said, useHosts } from './fixtures/fake-host.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-key-files-'));
const path = join(folder, 'keys.json');
const jwks = join(folder, 'jwks.json');
useHosts();
after(() => rmSync(folder, { recursive: true }));

const JWT = { FOREBAY_JWT_AUDIENCE: 'a', FOREBAY_JWT_ISSUER: 'i' };
const keysOf = (...names: readonly string[]) =>
  JSON.stringify({ keys: names.map((name) => ({ name, sha256: tokenHash(name) })) });
const NO_STREAMS = 'streams of API keys have no effect without a stream file';
const keySetOf = (kid: string) => JSON.stringify({ keys: [{ kty: 'EC', kid }] });

/** Keys sent to a worker: names of the API keys, and ids of the JWKs. */
function told(line: Line): readonly [string, string] {
  const { keys = [], keySet } = line.message as {
    keys?: { name: string }[];
    keySet?: { keys: { kid: string }[] };
  };
  return [keys.map(({ name }) => name).join(), (keySet?.keys ?? []).map(({ kid }) => kid).join()];
}
const received = (names: string, kids: string) => (line: Line) =>
  line.fake === 'keys' && told(line).join(';') === `${names};${kids}`;

test('every worker gets the current keys of both files, also one that starts later', async () => {
  writeFileSync(path, keysOf('a'));
  writeFileSync(jwks, keySetOf('1'));
  const env = { FOREBAY_KEYS_FILE: path, FOREBAY_JWT_JWKS_FILE: jwks, ...JWT };
  const { child } = await host('run', 2, env);
  await child.line(received('a', '1'), 2);
  writeFileSync(path, keysOf('a', 'b'));
  await child.line(received('a,b', '1'), 2);
  writeFileSync(jwks, keySetOf('2'));
  await child.line(received('a,b', '2'), 2);
  writeFileSync(path, '{');
  const line = await child.line(said('key file reload failed, keeping the previous keys'));
  assert.deepEqual([line.setting, line.level], ['FOREBAY_KEYS_FILE', 'error']);
  const worker = pidOf(await child.line(did('listening')));
  process.kill(worker, 'SIGKILL');
  await child.line(received('a,b', '2'), 3);
  assert.equal(isRunning(worker), false);
  assert.equal(messages(child, 'key file reloaded').length, 2);
  assert.deepEqual(messages(child, OPEN), []);
});

test('streams of keys without a stream file: a warning at the start and after a reload', async () => {
  const withStreams = (name: string) => ({ name, sha256: tokenHash(name), streams: ['a'] });
  const others = Array.from({ length: 10 }, (_, index) => withStreams(`k${index}`));
  const plain = { name: 'plain', sha256: tokenHash('plain') };
  writeFileSync(path, JSON.stringify({ keys: [plain, withStreams('till')] }));
  const { child } = await host('run', 1, { FOREBAY_KEYS_FILE: path });
  const { keys, count } = await child.line(said(NO_STREAMS));
  assert.deepEqual([keys, count], [['till'], 1]);
  const env = { FOREBAY_KEYS_FILE: path };
  const { warnings } = new KeyFiles(readConfig(env), new DeferredLog(), () => {});
  const line = 'FOREBAY_KEYS_FILE: without FOREBAY_STREAMS_FILE, streams of till have no effect';
  assert.deepEqual(warnings, [line]);
  writeFileSync(path, JSON.stringify({ keys: [...others, withStreams('till')] }));
  const more = await child.line(said(NO_STREAMS), 2);
  assert.deepEqual([(more.keys as string[]).length, more.count], [10, 11]);
  const streams = { ...env, FOREBAY_STREAMS_FILE: '/none' };
  const known = new KeyFiles(readConfig(streams), new DeferredLog(), () => {});
  assert.deepEqual(known.warnings, []);
  writeFileSync(path, keysOf('a'));
  const none = new KeyFiles(readConfig(env), new DeferredLog(), () => {});
  assert.deepEqual(none.warnings, []);
});

test('an invalid or unreadable file is a one-line start error', async () => {
  writeFileSync(path, '{"keys":[{"name":"a","sha256":"hunter2"}]}');
  writeFileSync(jwks, '{"keys":[{"kty":"oct","k":"hunter2"}]}');
  const wrong = await host('run', 1, { FOREBAY_KEYS_FILE: path });
  const secret = await host('run', 1, { FOREBAY_JWT_JWKS_FILE: jwks, ...JWT });
  const missing = await host('run', 1, { FOREBAY_KEYS_FILE: join(folder, 'nothing') });
  const ends = await Promise.all([wrong, secret, missing].map(({ child }) => child.ended));
  assert.deepEqual(
    ends.map(({ code }) => code),
    [2, 2, 1],
  );
  assert.match(
    errorLines(wrong.child).join('\n'),
    /^forebay: FOREBAY_KEYS_FILE: \S+ keys\[0\]\.sha256 must be .*$/,
  );
  assert.match(
    errorLines(secret.child).join('\n'),
    /^forebay: FOREBAY_JWT_JWKS_FILE: \S+ keys\[0\] is not a public key .*$/,
  );
  assert.match(
    errorLines(missing.child).join('\n'),
    /^forebay: FOREBAY_KEYS_FILE: cannot read \S+: no such file or directory \(ENOENT\)$/,
  );
  for (const { child } of [wrong, secret]) {
    assert(!`${child.stdout}${child.stderr}`.includes('hunter2'), 'nothing of the file is shown');
  }
});

const OPEN = 'authentication is not configured, accepting any client';

test('without authentication beyond loopback, one line at the start warns of it', async () => {
  const open = await host('run', 1, { FOREBAY_HOST: '0.0.0.0' });
  const local = await host('run', 1);
  await Promise.all([open, local].map(({ child }) => child.line(said('ready'))));
  const [line, ...others] = messages(open.child, OPEN);
  assert.deepEqual([line?.level, line?.host, others.length], ['warn', '0.0.0.0', 0]);
  assert.deepEqual(messages(local.child, OPEN), [], 'only local clients reach this one');
});

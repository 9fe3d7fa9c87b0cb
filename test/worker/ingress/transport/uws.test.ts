import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { UWS_FILES } from '../../../../scripts/packages.ts';
import { DEPRECATED_NODE_MAJORS, NODE_MAJORS } from '../../../../src/common/node-versions.ts';
import { reasonOf } from '../../../../src/worker/ingress/transport/uws.ts';

const HERE = { platform: 'linux', arch: 'x64', node: '22.12.0', glibc: '2.36' };
const missing = Object.assign(new Error("Cannot find module 'uWebSockets.js-node22'"), {
  code: 'MODULE_NOT_FOUND',
});

test('packages installed under another Node.js version: the reason names the remedy, not the platform', () => {
  assert.equal(
    reasonOf(missing, HERE),
    'node_modules lacks uWebSockets.js-node22: npm installs it under Node 22 alone, ' +
      'and another version installed the packages; run make setup again (npm ci)',
  );
  assert.match(reasonOf(missing, { ...HERE, node: '20.19.0' }), /lacks uWebSockets\.js-node20:/);
});

test('a platform without a binary: the reason names the platform', () => {
  for (const [host, is] of [
    [{ node: '23.11.0' }, 'linux x64, Node 23.11.0'],
    [{ node: '28.0.0' }, 'linux x64, Node 28.0.0'],
    [{ node: '21.0.0' }, 'linux x64, Node 21.0.0'],
    [{ node: '18.20.8' }, 'linux x64, Node 18.20.8'],
    [{ platform: 'darwin', glibc: undefined }, 'darwin x64, Node 22.12.0'],
    [{ arch: 'arm64' }, 'linux arm64, Node 22.12.0'],
    [{ glibc: undefined }, 'linux x64 without glibc, Node 22.12.0'],
  ] as const) {
    assert.equal(reasonOf(missing, { ...HERE, ...host }), `no uWebSockets.js binary for ${is}`);
  }
});

test('musl, for which npm installs the binary of glibc: the reason names the platform', () => {
  const text = 'Error loading shared library ld-linux-x86-64.so.2: No such file or directory';
  const unloadable = Object.assign(new Error(text), { code: 'ERR_DLOPEN_FAILED' });
  assert.equal(
    reasonOf(unloadable, { ...HERE, glibc: undefined }),
    'no uWebSockets.js binary for linux x64 without glibc, Node 22.12.0',
  );
});

test('an outdated glibc: the reason names the required version and the installed one', () => {
  const text =
    "/lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.38' not found (required by x.node)";
  const unloadable = Object.assign(new Error(text), { code: 'ERR_DLOPEN_FAILED' });
  assert.equal(
    reasonOf(unloadable, { ...HERE, node: '24.18.0' }),
    'uWebSockets.js-node24 needs glibc 2.38, this is 2.36',
  );
});

test('a binary that fails to load: the reason includes the cause', () => {
  const text = '/srv/x.node: file too short\nRequire stack:';
  const unloadable = Object.assign(new Error(text), { code: 'ERR_DLOPEN_FAILED' });
  assert.equal(
    reasonOf(unloadable, HERE),
    'uWebSockets.js-node22 cannot be loaded (/srv/x.node: file too short); ' +
      'run make setup again (npm ci)',
  );
});

test('a binary that make setup has installed on another platform: the reason includes the cause', () => {
  const unloadable = Object.assign(new Error('code signature invalid'), {
    code: 'ERR_DLOPEN_FAILED',
  });
  for (const host of [
    { platform: 'darwin', arch: 'arm64', glibc: undefined },
    { platform: 'linux', arch: 'arm64', glibc: '2.41' },
  ]) {
    assert.match(
      reasonOf(unloadable, { ...HERE, ...host }),
      /^uWebSockets\.js-node22 cannot be loaded \(code signature invalid\)/,
    );
  }
});

test('the installed binary of uWebSockets.js has the git blob id of docs/licences.md', () => {
  assert.deepEqual(
    UWS_FILES.map(([node]) => node),
    [...DEPRECATED_NODE_MAJORS, ...NODE_MAJORS],
  );
  const [node = ''] = process.versions.node.split('.');
  const [, abi, blob] = UWS_FILES.find(([major]) => major === node) ?? [];
  assert.equal(abi, process.versions.modules);
  const bytes = readFileSync(`node_modules/uWebSockets.js-node${node}/uws.node`);
  const hash = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes);
  assert.equal(hash.digest('hex'), blob);
});

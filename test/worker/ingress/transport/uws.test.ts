import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reasonOf } from '../../../../src/worker/ingress/transport/uws.ts';

const HERE = { platform: 'linux', arch: 'x64', node: '22.12.0', hasGlibc: true };
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

test('a platform without a binary: the reason names the requirements and the platform', () => {
  const needs = 'Forebay runs on Linux x64 with glibc and Node 20 or 22; this is ';
  for (const [host, is] of [
    [{ node: '24.1.0' }, 'linux x64, Node 24.1.0'],
    [{ node: '21.0.0' }, 'linux x64, Node 21.0.0'],
    [{ node: '18.20.8' }, 'linux x64, Node 18.20.8'],
    [{ platform: 'darwin', hasGlibc: false }, 'darwin x64, Node 22.12.0'],
    [{ arch: 'arm64' }, 'linux arm64, Node 22.12.0'],
    [{ hasGlibc: false }, 'linux x64 without glibc, Node 22.12.0'],
  ] as const) {
    assert.equal(reasonOf(missing, { ...HERE, ...host }), needs + is);
  }
});

test('a binary that fails to load: the reason includes the cause', () => {
  const text =
    "/lib/libm.so.6: version `GLIBC_2.38' not found (required by x.node)\nRequire stack:";
  const unloadable = Object.assign(new Error(text), { code: 'ERR_DLOPEN_FAILED' });
  assert.equal(
    reasonOf(unloadable, HERE),
    "uWebSockets.js-node22 cannot be loaded (/lib/libm.so.6: version `GLIBC_2.38' not found " +
      '(required by x.node)); run make setup again (npm ci)',
  );
});

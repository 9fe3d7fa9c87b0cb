import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CLIENTS, reasonIn } from '../../../bench/yardsticks/install.ts';

const FOLDER = 'bench/yardsticks/clients';
const read = (name: string) => JSON.parse(readFileSync(`${FOLDER}/${name}`, 'utf8'));

test('the clients are pinned, and their lock file has hashes but no addresses of packages', () => {
  const { dependencies } = read('package.json') as { dependencies: Record<string, string> };
  const modules = Object.values(CLIENTS).map(({ module }) => module);
  assert.deepEqual(Object.keys(dependencies), modules.toSorted());
  for (const version of Object.values(dependencies)) assert.match(version, /^\d+\.\d+\.\d+$/);
  const { packages } = read('package-lock.json') as {
    packages: Record<string, { integrity?: string; resolved?: string }>;
  };
  const { '': own, ...installed } = packages;
  assert.ok(own !== undefined && Object.keys(installed).length > modules.length);
  const loose = Object.entries(installed).filter(
    ([, { integrity, resolved }]) => !integrity?.startsWith('sha512-') || resolved !== undefined,
  );
  assert.deepEqual(loose, []);
});

test('npm runs no install script of the clients by itself', () => {
  assert.match(readFileSync(`${FOLDER}/.npmrc`, 'utf8'), /^ignore-scripts=true$/m);
});

/** Shortened outputs, and the reason in each. */
const OUTPUTS: readonly [string, string][] = [
  [
    'npm error code 1\nnpm error path /srv/module\nnpm error gyp ERR! build error\n' +
      'npm error gyp ERR! stack Error: not found: make\nnpm error [error] not ok\n',
    'not found: make',
  ],
  [
    'npm error ../src/rdkafka_ssl.c:44:10: fatal error: openssl/ssl.h: No such file\n',
    'openssl/ssl.h: No such file',
  ],
  [
    'node:internal\n\nError [ERR_MODULE_NOT_FOUND]: Cannot find package\n    at load',
    'Cannot find package',
  ],
  ['\nnpm error code E404\nnpm error 404 Not Found\n', 'npm error code E404'],
  ['\n', 'no output'],
];

test('the reason of a failed installation is its first error', () => {
  for (const [output, reason] of OUTPUTS) assert.equal(reasonIn(output), reason);
});

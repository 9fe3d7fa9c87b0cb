/**
 * `make setup` on platforms whose uWebSockets.js package is not in the lock file. npm and the
 * platform are stubs here: no registry within reach serves these packages.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { ROOT } from '../../deploy/kafka/jars.ts';

interface Platform {
  readonly platform: string;
  readonly arch: string;
  readonly node?: string;
  readonly glibc?: string;
}

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'forebay-setup-'));
  mkdirSync(join(folder, 'checkout/node_modules'), { recursive: true });
  mkdirSync(join(folder, 'bin'));
  for (const name of ['Makefile', 'package.json', 'package-lock.json', 'scripts', 'src']) {
    symlinkSync(join(ROOT, name), join(folder, 'checkout', name));
  }
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (name: string) => join(folder, 'checkout/node_modules', name);
const calls = () => {
  const file = join(folder, 'calls');
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n') : [];
};

/**
 * Runs `make setup` with a stubbed npm.
 * @param does installs the package, fails, or succeeds without it as for any optional dependency
 */
function setup(
  { platform, arch, node = '24.1.0', glibc }: Platform,
  does: 'install' | 'fail' | 'omit' = 'omit',
) {
  const bin = join(folder, 'bin');
  const write = (name: string, lines: readonly string[]) => {
    writeFileSync(join(bin, name), ['#!/bin/sh', ...lines, ''].join('\n'));
    chmodSync(join(bin, name), 0o755);
  };
  const target = at(`uWebSockets.js-node${node.split('.')[0]}`);
  const end = { install: `mkdir '${target}'`, fail: 'exit 1', omit: 'exit 0' }[does];
  write('npm', [`echo "$*" >> '${folder}/calls'`, 'echo noise; echo noise >&2', end]);
  // The shell of the platform win32.
  write('cmd.exe', ['exec sh "$@"']);
  const stub = `
    const { report, versions } = process;
    const header = { glibcVersionRuntime: ${JSON.stringify(glibc)} };
    const facts = {
      platform: ${JSON.stringify(platform)},
      arch: ${JSON.stringify(arch)},
      versions: { ...versions, node: ${JSON.stringify(node)} },
      report: { ...report, getReport: () => ({ header }) },
    };
    for (const [name, value] of Object.entries(facts)) Object.defineProperty(process, name, { value });`;
  const preload = `data:text/javascript,${encodeURIComponent(stub)}`;
  write('node', [
    `if [ "$1" = --version ]; then echo v${node}; exit; fi`,
    `exec '${process.execPath}' --import '${preload}' "$@"`,
  ]);
  const { status, stdout, stderr } = spawnSync(
    'make',
    ['-o', 'node_modules/.package-lock.json', 'setup'],
    {
      cwd: join(folder, 'checkout'),
      env: { HOME: folder, PATH: `${bin}:${process.env.PATH}`, comspec: join(bin, 'cmd.exe') },
      encoding: 'utf8',
    },
  );
  return { status, stderr, lines: stdout.split('\n').filter((line) => line !== '') };
}

const OTHERS = [
  { platform: 'linux', arch: 'arm64', glibc: '2.41' },
  { platform: 'darwin', arch: 'arm64' },
  { platform: 'darwin', arch: 'x64', node: '26.0.0' },
  { platform: 'win32', arch: 'x64', node: '22.12.0' },
] as const;

for (const host of OTHERS) {
  const { platform, arch, node = '24.1.0' } = { node: undefined, ...host };
  const major = node.split('.')[0];
  const name = `@uwsjs/${platform}-${arch}-${major}@20.69.0`;
  const call = `install --no-save --no-audit --no-fund --loglevel=silent uWebSockets.js-node${major}@npm:${name}`;

  test(`${platform} ${arch}, Node.js ${major}, stubbed npm: a failure is one line, tried once`, () => {
    const lines = [
      `npm install ${name}`,
      `${name} cannot be installed: the gateway uses node:http and ws (FOREBAY_TRANSPORT=node)`,
    ];
    for (const does of ['fail', 'omit'] as const) {
      assert.deepEqual(setup(host, does), { status: 0, stderr: '', lines }, does);
      assert.deepEqual(setup(host, does), { status: 0, stderr: '', lines: [] }, does);
      rmSync(at(`.uWebSockets.js-node${major}`));
    }
    assert.deepEqual(calls(), [call, call]);
  });

  test(`${platform} ${arch}, Node.js ${major}, stubbed npm: the package is installed once`, () => {
    const lines = [`npm install ${name}`];
    assert.deepEqual(setup(host, 'install'), { status: 0, stderr: '', lines });
    assert.deepEqual(setup(host, 'install'), { status: 0, stderr: '', lines: [] });
    assert.deepEqual(calls(), [call]);
    assert(existsSync(at(`uWebSockets.js-node${major}`)));
  });
}

test('another Node.js version, stubbed npm: its package is tried as well', () => {
  const host = { platform: 'darwin', arch: 'arm64' } as const;
  for (const node of ['24.1.0', '26.0.0', '24.2.0']) setup({ ...host, node });
  assert.deepEqual(
    calls().map((line) => /-(\d+)@20/.exec(line)?.[1]),
    ['24', '26'],
  );
});

test('platforms without a package, stubbed npm: nothing is tried', () => {
  for (const host of [
    { platform: 'linux', arch: 'x64', glibc: '2.36' },
    { platform: 'linux', arch: 'x64' },
    { platform: 'linux', arch: 'arm64' },
    { platform: 'win32', arch: 'arm64' },
    { platform: 'freebsd', arch: 'x64' },
    { platform: 'darwin', arch: 'arm64', node: '20.19.0' },
    { platform: 'darwin', arch: 'arm64', node: '28.0.0' },
  ] as const) {
    assert.deepEqual(setup(host), { status: 0, stderr: '', lines: [] }, JSON.stringify(host));
  }
  assert.deepEqual(calls(), []);
});

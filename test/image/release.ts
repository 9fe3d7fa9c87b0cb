/** The output of `make release`, as an operator gets it: `make release-test`. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DEPRECATED_NODE_MAJORS, NODE_MAJORS } from '../../src/common/node-versions.ts';
import { startGateway } from '../../testing/gateway.ts';
import { smokeTests } from '../support/shipped.ts';
import { VERSION } from './container.ts';

const NAME = `forebay-${VERSION}-linux-x64`;
const folder = mkdtempSync(join(tmpdir(), 'forebay-unpacked-'));
after(() => rmSync(folder, { recursive: true }));

test('the checksums match', () => {
  const { status, stdout } = spawnSync('sha256sum', ['--check', '--strict', 'SHA256SUMS'], {
    cwd: 'release',
    encoding: 'utf8',
  });
  assert.equal(status, 0, stdout);
  for (const file of [`${NAME}.tar.gz`, `${NAME}.cdx.json`]) {
    assert(stdout.includes(`${file}: OK`), stdout);
  }
});

test('unpacked elsewhere, the tarball runs: --version, config, key, and the uWebSockets.js binary', () => {
  execFileSync('tar', ['-xf', `release/${NAME}.tar.gz`, '-C', folder]);
  const cwd = join(folder, NAME);
  const run = (...args: string[]) =>
    execFileSync(process.execPath, args, { cwd, encoding: 'utf8', env: { PATH: '' } });
  assert.equal(run('dist/main.js', '--version'), `${VERSION}\n`);
  assert.match(run('dist/main.js', 'config'), /^FOREBAY_PORT=9000$/m);
  assert.match(run('dist/main.js', 'key', 'new', '--name', 'a'), /^fbk_/);
  const load = "import('./dist/worker/worker.js').then(() => console.log('loaded'))";
  assert.equal(run('-e', load), 'loaded\n');
  for (const node of [...DEPRECATED_NODE_MAJORS, ...NODE_MAJORS]) {
    const binary = join(cwd, `node_modules/uWebSockets.js-node${node}/package.json`);
    assert(existsSync(binary), `it runs on Node.js ${node} too`);
  }
  assert(!existsSync(join(cwd, 'node_modules/typescript')), 'no package of development is inside');
});

smokeTests(async (settings) => {
  const gateway = await startGateway({ ...settings, main: join(folder, NAME, 'dist/main.js') });
  return { port: gateway.port, stop: async () => (await gateway.stop()).code };
});

/**
 * Part of `make setup`: tries to install uWebSockets.js on a platform whose package is not in the
 * lock file, once per installation of the packages. Plain JavaScript, because make runs it while
 * packages may be missing. Neither package.json nor the lock file change, and other packages stay.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const SCOPE = '@uwsjs';
/** Platforms with a package that is not in the lock file. */
const PLATFORMS = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'win32-x64'];
const NPM_INSTALL = 'npm install --no-save --no-audit --no-fund --loglevel=silent';

const { platform, arch, versions } = process;
const [major = ''] = versions.node.split('.');
const name = `uWebSockets.js-node${major}`;
const marker = `node_modules/.${name}`;

/** Returns the package of this platform and Node.js; undefined if there is none. */
function packageOfPlatform() {
  const { engines, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const isSupported = engines.node.includes(`^${major}.`);
  const isMusl = platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
  if (!isSupported || isMusl || !PLATFORMS.includes(`${platform}-${arch}`)) return undefined;
  const newest = Object.keys(optionalDependencies)
    .filter((alias) => alias.startsWith('uWebSockets.js-node'))
    .sort()
    .at(-1);
  const [version] = /[\d.]+$/.exec(optionalDependencies[newest]) ?? [];
  return `${SCOPE}/${platform}-${arch}-${major}@${version}`;
}

const wanted = packageOfPlatform();
if (wanted !== undefined) {
  console.log(`npm install ${wanted}`);
  // On Windows npm is a batch file, which only a shell runs.
  spawnSync(`${NPM_INSTALL} ${name}@npm:${wanted}`, { shell: true });
  // npm succeeds without it as well: package.json has the name among the optional dependencies.
  if (!existsSync(`node_modules/${name}`)) {
    writeFileSync(marker, '');
    console.log(
      `${wanted} cannot be installed: the gateway uses node:http and ws (FOREBAY_TRANSPORT=node)`,
    );
  }
}

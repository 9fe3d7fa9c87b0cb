/**
 * `make release`: writes the artifacts of a version to release/: a tarball that runs unpacked,
 * without a registry; the image, if a builder is available; a bill of materials; checksums.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bom } from './bom.ts';
import { productionPackages } from './packages.ts';
import { refusals } from './release-rules.ts';

const OUT = 'release';
/** Exit code of deploy/image/build.sh without a builder. */
const NO_BUILDER = 3;
/** Further content of the tarball, for operators without the repository. */
const FILES = ['docs', 'deploy', 'CHANGELOG.md', 'LICENSE', 'README.md'];
const FOR_NPM = ['package.json', 'package-lock.json', '.npmrc'];

const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();

function run(command: string, args: readonly string[], cwd = '.'): void {
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });
}

/**
 * Adds the binaries of uWebSockets.js for other Node.js versions, verified by the hashes of the
 * lock file: npm installs only that of the running version.
 */
function addOtherNodes(root: string, scratch: string): void {
  const others = productionPackages().filter(
    ({ name, folder }) => name.startsWith('@uwsjs/') && !existsSync(join(root, folder)),
  );
  for (const { name, version, folder, integrity } of others) {
    const args = ['pack', '--json', `--pack-destination=${scratch}`, `${name}@${version}`];
    const [packed] = JSON.parse(execFileSync('npm', args, { encoding: 'utf8' })) as Packed[];
    if (packed === undefined) throw new Error(`npm pack returned no ${name}`);
    const file = join(scratch, packed.filename);
    const sha512 = createHash('sha512').update(readFileSync(file)).digest('base64');
    if (`sha512-${sha512}` !== integrity) throw new Error(`${name} differs from the lock file`);
    mkdirSync(join(root, folder));
    run('tar', ['-xzf', file, '--strip-components=1', '-C', join(root, folder)]);
  }
}

interface Packed {
  readonly filename: string;
}

/** Packs `name` reproducibly: order, owner, modes and times are fixed. */
function tarball(name: string, seconds: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-release-'));
  try {
    const root = join(folder, name);
    mkdirSync(root);
    // From the commit: the folders may contain keys and certificates that git ignores.
    const archive = join(folder, 'commit.tar');
    run('git', ['archive', `--output=${archive}`, 'HEAD', ...FOR_NPM, ...FILES]);
    run('tar', ['-xf', archive, '-C', root]);
    const filter = (path: string) => path !== 'dist/.built';
    cpSync('dist', join(root, 'dist'), { recursive: true, filter });
    run('npm', ['ci', '--omit=dev', '--no-progress', '--loglevel=error'], root);
    addOtherNodes(root, folder);
    const same = [
      '--sort=name',
      '--owner=0',
      '--group=0',
      '--numeric-owner',
      '--mode=u+rwX,go+rX,go-w',
      `--mtime=@${seconds}`,
    ];
    const packed = ['-I', 'gzip -n', '-cf', join(OUT, `${name}.tar.gz`)];
    run('tar', [...same, ...packed, '-C', folder, name]);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** @returns whether the image was built; a failed build is an error */
function image(file: string): boolean {
  const { status } = spawnSync('deploy/image/build.sh', {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PLATFORM: 'linux/amd64', SAVE: file },
  });
  if (status === NO_BUILDER) return false;
  if (status !== 0) throw new Error(`deploy/image/build.sh: exit code ${status}`);
  return true;
}

function sha256(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
const found = refusals({
  version,
  status: git('status', '--porcelain'),
  changelog: readFileSync('CHANGELOG.md', 'utf8'),
});
if (found.length > 0) {
  for (const refusal of found) console.error(`release: ${refusal}`);
  process.exit(1);
}

rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
const name = `forebay-${version}-linux-x64`;
// Files of an older build would be released as well.
rmSync('dist', { recursive: true, force: true });
run('npm', ['run', '--silent', 'build']);
tarball(name, git('show', '-s', '--format=%ct', 'HEAD'));
const materials = bom();
writeFileSync(join(OUT, `${name}.cdx.json`), `${JSON.stringify(materials, null, 2)}\n`);
const withImage = image(join(OUT, `${name}.image.tar.gz`));
const lines = readdirSync(OUT).map((file) => `${sha256(join(OUT, file))}  ${file}\n`);
writeFileSync(join(OUT, 'SHA256SUMS'), lines.sort().join(''));
console.log(`${OUT}/: ${version} of ${git('rev-parse', '--short', 'HEAD')}, \
${materials.components.length} packages${withImage ? '' : '; no image: no builder found'}`);

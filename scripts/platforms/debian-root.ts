/** The root folder with Debian 13: debootstrap creates it once, from the mirror of this machine. */
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type IsolatedOptions, isolated } from './isolated.ts';

const SUITE = 'trixie';
/** Node 26 needs libatomic1, Kafka Java; the others are tools of tests. */
const PACKAGES =
  'ca-certificates curl haproxy kcat libatomic1 openjdk-21-jre-headless openssl procps zstd';
const CONTENT = `${SUITE} ${PACKAGES}\n`;
const PUBLIC_MIRROR = 'http://deb.debian.org/debian';

/**
 * Mirror of Debian's main archive among apt's sources.
 * @param targets lines of `apt-get indextargets`: address, release, component
 * @param codename release of this machine, `bookworm`
 */
export function mirrorOf(targets: string, codename: string): string | undefined {
  const rows = targets.split('\n').map((line) => line.split(' '));
  return rows.find(([, release, component]) => release === codename && component === 'main')?.[0];
}

/** DEBIAN_MIRROR, else the mirror that apt uses on a Debian host, else the public one. */
function debianMirror(): string {
  const { DEBIAN_MIRROR } = process.env;
  if (DEBIAN_MIRROR) return DEBIAN_MIRROR;
  const release = readFileSync('/etc/os-release', 'utf8');
  const field = (name: string) => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(release)?.[1] ?? '';
  if (field('ID') !== 'debian') return PUBLIC_MIRROR;
  const format = '$(REPO_URI) $(RELEASE) $(COMPONENT)';
  const args = ['indextargets', '--format', format, 'Created-By: Packages'];
  const { stdout } = spawnSync('apt-get', args, { encoding: 'utf8' });
  return mirrorOf(stdout ?? '', field('VERSION_CODENAME')) ?? PUBLIC_MIRROR;
}

/** Creates the root folder at `root`, unless it is there with the same packages. */
export async function ensureDebianRoot(root: string, options: IsolatedOptions): Promise<void> {
  const stamp = (folder: string) => join(folder, 'etc/forebay-packages');
  if (existsSync(stamp(root)) && readFileSync(stamp(root), 'utf8') === CONTENT) return;
  const partial = `${root}.new`;
  const logFile = `${root}.log`;
  for (const old of [root, partial]) await rm(old, { recursive: true, force: true });
  mkdirSync(dirname(root), { recursive: true });
  console.log(`platforms: creating a Debian 13 root in ${root}`);
  const include = `--include=${PACKAGES.replaceAll(' ', ',')}`;
  const command = ['debootstrap', '--variant=minbase', include, SUITE, partial, debianMirror()];
  const log = openSync(logFile, 'w');
  const status = await isolated(command, { ...options, log }).finally(() => closeSync(log));
  options.signal.throwIfAborted();
  if (status !== 0) throw new Error(`debootstrap failed, see ${logFile}`);
  // Packages stay in the cache of apt, which nothing uses here.
  await rm(join(partial, 'var/cache/apt/archives'), { recursive: true });
  writeFileSync(stamp(partial), CONTENT);
  await rename(partial, root);
}

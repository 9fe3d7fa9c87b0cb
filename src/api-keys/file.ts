/** A change of the file of keys that nobody sees half of. */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EXIT, StartError, systemReason } from '../common/errors.ts';
import { textOf } from '../config/secret-files.ts';
import { type KeyEntry, parseKeys } from './format.ts';

/** Who makes the file may read and change it, nobody else. */
const PRIVATE = 0o600;
const ALL_RIGHTS = 0o777;
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;
const NEW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
/** Does not wait for the writer of a pipe that stands in the file's place. */
const OLD = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

type Named = Pick<KeyEntry, 'name'>;

/**
 * Adds `entry` to the keys in the file at `path`; makes the file if there is none. The new file
 * takes the place of the old one at once; it has the same owner and rights.
 *
 * The caller may be root, and the folder another user's, who may put links in the place of files
 * and folders at any moment. Hence everything happens in the folder that was opened first, and
 * owner and rights change on descriptors alone.
 * @throws StartError (exit code 1) when that cannot be done; the old file is as it was then
 */
export function addToFile(path: string, entry: Named): void {
  try {
    // Of a link the file behind it is changed, not the link.
    const target = existsSync(path) ? realpathSync(path) : path;
    const folder = openSync(dirname(target), O_RDONLY | O_DIRECTORY);
    try {
      replace(join(anchorOf(folder, target), basename(target)), target, entry);
    } finally {
      closeSync(folder);
    }
  } catch (error) {
    const reason = systemReason(error);
    const isSystems = (error as NodeJS.ErrnoException).code !== undefined;
    const problem = isSystems ? `cannot be changed: ${reason}` : reason;
    throw new StartError(`key: ${path} ${problem}`, EXIT.failed);
  }
}

/**
 * A path of the open folder of `target` that leads there also when another one has its name. Only
 * Linux has such a path; the name does where it is missing.
 */
function anchorOf(folder: number, target: string): string {
  const descriptor = `/proc/self/fd/${folder}`;
  return existsSync(descriptor) ? descriptor : dirname(target);
}

/** @param target the path to show for `path` */
function replace(path: string, target: string, entry: Named): void {
  const beside = `${path}.new`;
  const fd = openNew(beside, `${target}.new`);
  let old: number | undefined;
  try {
    // Opened only now: whoever else changes it has ended, or has to wait.
    old = openOld(path);
    writeFileSync(fd, withEntry(old === undefined ? undefined : textOf(readFileSync(old)), entry));
    fsyncSync(fd);
    if (old !== undefined) {
      const { uid, gid, mode } = fstatSync(old);
      fchownSync(fd, uid, gid);
      fchmodSync(fd, mode & ALL_RIGHTS);
    }
    if (!isAt(beside, fd)) throw new Error(`is unchanged: ${target}.new was replaced meanwhile`);
    if (!isAt(path, old)) throw new Error('was changed by another program meanwhile: try again');
    renameSync(beside, path);
  } catch (error) {
    if (isAt(beside, fd)) rmSync(beside, { force: true });
    throw error;
  } finally {
    closeSync(fd);
    if (old !== undefined) closeSync(old);
  }
}

/** Whether the file of a descriptor is at `path`; undefined: whether nothing is. */
function isAt(path: string, fd: number | undefined): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || fd === undefined) return found === undefined && fd === undefined;
  const { dev, ino } = fstatSync(fd);
  return found.dev === dev && found.ino === ino;
}

function withEntry(text: string | undefined, entry: Named): string {
  if (text === undefined) return shown([entry], {});
  if (parseKeys(text).some(({ name }) => name === entry.name)) {
    throw new Error('already has a key with this name');
  }
  const { keys, ...others } = JSON.parse(text) as { keys: object[] };
  const next = shown([...keys, entry], others);
  parseKeys(next);
  return next;
}

function shown(keys: readonly object[], others: object): string {
  return `${JSON.stringify({ ...others, keys }, undefined, 2)}\n`;
}

function openNew(beside: string, shownAs: string): number {
  try {
    return openSync(beside, NEW, PRIVATE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`is being changed by another process, or ${shownAs} is left over: remove it`);
  }
}

/** @returns undefined if there is no file */
function openOld(path: string): number | undefined {
  let fd: number;
  try {
    fd = openSync(path, OLD);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    if (code !== 'ELOOP') throw error;
    throw new Error('is a symbolic link to a file that does not exist, or was replaced by a link');
  }
  const stats = fstatSync(fd);
  if (stats.isFile() || stats.isDirectory()) return fd;
  closeSync(fd);
  throw new Error('is not a regular file');
}

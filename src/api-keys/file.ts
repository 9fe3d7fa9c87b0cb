/** Atomic updates of the API key file. */
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

/** Readable and writable only by the user that creates the file. */
const PRIVATE = 0o600;
const ALL_RIGHTS = 0o777;
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;
const NEW = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
/** Does not wait for a writer if the path is a pipe. */
const OLD = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;

type Named = Pick<KeyEntry, 'name'>;

/**
 * Adds `entry` to the keys in the file at `path`; creates the file if it does not exist. The new
 * file replaces the old one atomically, with the same owner and permissions.
 *
 * The caller may be root, and the folder another user's, which may replace files and folders by
 * links at any moment. Hence everything happens in the folder that was opened first, and owner and
 * permissions change on descriptors alone.
 * @throws StartError (exit code 1) on failure; the old file is then unchanged
 */
export function addToFile(path: string, entry: Named): void {
  try {
    // For a link, changes the file behind it, not the link.
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
 * Returns a path to the open folder of `target` that stays valid when another folder takes its
 * name. Only Linux has such paths; elsewhere it is the name.
 */
function anchorOf(folder: number, target: string): string {
  const descriptor = `/proc/self/fd/${folder}`;
  return existsSync(descriptor) ? descriptor : dirname(target);
}

/** @param target path to show for `path` */
function replace(path: string, target: string, entry: Named): void {
  const pending = `${path}.new`;
  const fd = openNew(pending, `${target}.new`);
  let old: number | undefined;
  try {
    // Opened only now: other writers have finished, or have to wait.
    old = openOld(path);
    writeFileSync(fd, withEntry(old === undefined ? undefined : textOf(readFileSync(old)), entry));
    fsyncSync(fd);
    if (old !== undefined) {
      const { uid, gid, mode } = fstatSync(old);
      fchownSync(fd, uid, gid);
      fchmodSync(fd, mode & ALL_RIGHTS);
    }
    if (!isAt(pending, fd)) throw new Error(`is unchanged: ${target}.new was replaced meanwhile`);
    if (!isAt(path, old)) throw new Error('was changed by another program meanwhile: try again');
    renameSync(pending, path);
  } catch (error) {
    if (isAt(pending, fd)) rmSync(pending, { force: true });
    throw error;
  } finally {
    closeSync(fd);
    if (old !== undefined) closeSync(old);
  }
}

/** Returns whether the descriptor's file is at `path`; for undefined, whether none is. */
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

function openNew(pending: string, shownAs: string): number {
  try {
    return openSync(pending, NEW, PRIVATE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`is being changed by another process, or ${shownAs} is left over: remove it`);
  }
}

/** @returns undefined if the file does not exist */
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

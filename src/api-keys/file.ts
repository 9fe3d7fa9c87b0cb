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
  type Stats,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { EXIT, StartError, systemReason } from '../common/errors.ts';
import { textOf } from '../config/secret-files.ts';
import { type KeyEntry, parseKeys } from './format.ts';

/** Readable and writable only by the user that creates the file. */
const PRIVATE = 0o600;
const ALL_RIGHTS = 0o777;
const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL } = constants;
/** Windows has none of these: its files are never pipes, and their links need privileges. */
const { O_NOFOLLOW = 0, O_NONBLOCK = 0, O_DIRECTORY = 0 } = constants as Partial<typeof constants>;
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
  const opened = [fd];
  const created = fstatSync(fd);
  const close = () => {
    for (const each of opened.splice(0)) closeSync(each);
  };
  try {
    // Opened only now: other writers have finished, or have to wait.
    const oldFd = openOld(path);
    if (oldFd !== undefined) opened.push(oldFd);
    const [text, old] = oldFd === undefined ? [] : [textOf(readFileSync(oldFd)), fstatSync(oldFd)];
    writeFileSync(fd, withEntry(text, entry));
    fsyncSync(fd);
    if (old !== undefined) {
      fchownSync(fd, old.uid, old.gid);
      fchmodSync(fd, old.mode & ALL_RIGHTS);
    }
    if (!isAt(pending, created))
      throw new Error(`is unchanged: ${target}.new was replaced meanwhile`);
    if (!isAt(path, old)) throw new Error('was changed by another program meanwhile: try again');
    // Windows does not replace open files.
    close();
    renameSync(pending, path);
  } catch (error) {
    if (isAt(pending, created)) rmSync(pending, { force: true });
    throw error;
  } finally {
    close();
  }
}

/** Returns whether this file is at `path`; for undefined, whether none is. */
function isAt(path: string, file: Stats | undefined): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || file === undefined) return found === undefined && file === undefined;
  // On Windows, device numbers of paths and of descriptors may differ.
  const sameDevice = found.dev === file.dev || process.platform === 'win32';
  return sameDevice && found.ino === file.ino;
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

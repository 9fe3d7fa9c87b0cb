/** A change of the file of keys that nobody sees half of. */
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { EXIT, StartError, systemReason } from '../errors.ts';
import { textOf } from '../secret-files.ts';
import { type KeyEntry, parseKeys } from './format.ts';

/** Who makes the file may read and change it, nobody else. */
const PRIVATE = 0o600;
const ALL_RIGHTS = 0o777;

type Named = Pick<KeyEntry, 'name'>;

/**
 * Adds `entry` to the keys in the file at `path`; makes the file if there is none. The new file
 * takes the place of the old one at once; it has the same owner and rights.
 * @throws StartError (exit code 1) when that cannot be done; the old file is as it was then
 */
export function addToFile(path: string, entry: Named): void {
  try {
    // Of a link the file behind it is changed, not the link.
    const target = existsSync(path) ? realpathSync(path) : path;
    const beside = `${target}.new`;
    const fd = openNew(beside);
    try {
      // Looked at only now: whoever else changes it has ended, or has to wait.
      const old = statSync(target, { throwIfNoEntry: false });
      writeFileSync(fd, withEntry(old && textOf(readFileSync(target)), entry));
      fsyncSync(fd);
      if (old !== undefined) {
        chownSync(beside, old.uid, old.gid);
        chmodSync(beside, old.mode & ALL_RIGHTS);
      }
      renameSync(beside, target);
    } catch (error) {
      rmSync(beside, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    const reason = systemReason(error);
    const isSystems = (error as NodeJS.ErrnoException).code !== undefined;
    const problem = isSystems ? `cannot be changed: ${reason}` : reason;
    throw new StartError(`key: ${path} ${problem}`, EXIT.failed);
  }
}

function withEntry(text: string | undefined, entry: Named): string {
  if (text === undefined) return shown([entry], {});
  if (parseKeys(text).some(({ name }) => name === entry.name)) {
    throw new Error('has a key of that name');
  }
  const { keys, ...others } = JSON.parse(text) as { keys: object[] };
  const next = shown([...keys, entry], others);
  parseKeys(next);
  return next;
}

function shown(keys: readonly object[], others: object): string {
  return `${JSON.stringify({ ...others, keys }, undefined, 2)}\n`;
}

function openNew(beside: string): number {
  try {
    return openSync(beside, 'wx', PRIVATE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`is being changed by somebody else, or ${beside} was left behind: remove it`);
  }
}

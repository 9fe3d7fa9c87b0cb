/** Facts about other processes: from /proc, or from `ps` where there is no /proc. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { attempt } from '../../src/common/errors.ts';

/**
 * Returns a text that identifies the start of a process, since ids are reused; undefined = it has
 * exited, even if it is still a zombie.
 * @param proc folder of the kernel's process files
 */
export function startOf(pid: number, proc = '/proc'): string | undefined {
  const stat = attempt(() => readFileSync(`${proc}/${pid}/stat`, 'utf8'));
  if (stat !== undefined) {
    // The fields follow the name, which is in parentheses and may contain anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : fields[19];
  }
  if (hasFilesOf(proc)) return undefined;
  const [, state = 'Z', start] = /^(\S+) +(.+)$/.exec(ps(pid, ['stat=', 'lstart=']) ?? '') ?? [];
  return state.startsWith('Z') ? undefined : start;
}

/** Returns the arguments of a process in one text; undefined if it has exited. */
export function argumentsOf(pid: number, proc = '/proc'): string | undefined {
  const text = attempt(() => readFileSync(`${proc}/${pid}/cmdline`, 'utf8'));
  return text === undefined && !hasFilesOf(proc) ? ps(pid, ['args=']) : text;
}

function hasFilesOf(proc: string): boolean {
  return attempt(() => readFileSync(`${proc}/self/stat`)) !== undefined;
}

/** Returns fields of a process in one line; undefined without that process, or without `ps`. */
function ps(pid: number, fields: readonly string[]): string | undefined {
  const args = ['-ww', ...fields.flatMap((field) => ['-o', field]), '-p', String(pid)];
  const env = { ...process.env, LC_ALL: 'C' };
  const { status, stdout } = spawnSync('ps', args, { encoding: 'utf8', env });
  return status === 0 ? stdout.trim() : undefined;
}

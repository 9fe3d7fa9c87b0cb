/**
 * Commands in their own mount and process namespaces. The kernel removes what is left in them when
 * the command ends, or this process, even by SIGKILL.
 */
import { spawn } from 'node:child_process';

/** `setpriv` ends `unshare` with its parent, `--kill-child` then ends process 1 of the namespace. */
const ISOLATION = [
  'setpriv',
  '--pdeathsig=KILL',
  'unshare',
  '--mount',
  '--pid',
  '--fork',
  '--kill-child=KILL',
];

/** Prepares the root folder `$0`, then runs its other arguments in it. */
const IN_ROOT = `set -e
root=$0
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
for file in hosts resolv.conf; do
  touch "$root/etc/$file"
  mount --bind "/etc/$file" "$root/etc/$file"
done
# No exec: process 1 has to reap orphans.
chroot "$root" "$@"
exit "$?"`;

export interface IsolatedOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Receives stdout and stderr; undefined = those of this process. */
  readonly log?: number;
  readonly signal: AbortSignal;
}

/** Runs a program with its own mounts and processes. @returns its exit code */
export function isolated(command: readonly string[], options: IsolatedOptions): Promise<number> {
  const { env, log = 'inherit', signal } = options;
  const [program = '', ...args] = [...ISOLATION, ...command];
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env,
      signal,
      killSignal: 'SIGKILL',
      stdio: ['ignore', log, log],
    });
    child.once('error', (error) => signal.aborted || reject(error));
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** Runs a program in the root folder `root`, with /proc, /dev, /sys, and an empty /tmp. */
export function isolatedIn(root: string, command: readonly string[], options: IsolatedOptions) {
  return isolated(['sh', '-c', IN_ROOT, root, ...command], options);
}

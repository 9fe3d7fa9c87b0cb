import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

// Reads the ids of the processes to watch, one line for each change, until the end of its input:
// that comes when the starting process closes it or dies of anything, SIGKILL too. Then it ends the
// processes of the last line and removes the folder named as its argument. A line "done": nothing
// is left to do.
const SCRIPT = `
pids=
while read -r line; do pids=$line; done
[ "$pids" = done ] && exit 0
[ -n "$pids" ] && kill -9 $pids 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
  [ -z "$1" ] || rm -rf "$1" 2>/dev/null && break
  sleep 0.2
done`;

/** A shell that ends a cluster's processes when the process that started them is no more. */
export class Guard {
  private readonly shell: ChildProcess;

  constructor(removeDir: string | undefined) {
    this.shell = spawn('/bin/sh', ['-c', SCRIPT, 'forebay-kafka-guard', removeDir ?? ''], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.shell.unref();
    // Neither the shell nor its pipe keeps the process running; a shell that was ended from outside
    // must not end it by a broken pipe.
    (this.shell.stdin as Socket).unref();
    this.shell.stdin?.on('error', () => {});
  }

  watch(pids: readonly number[]): void {
    if (this.shell.stdin?.writable) this.shell.stdin.write(`${pids.join(' ')}\n`);
  }

  /** The processes may go on without the one that started them. */
  dismiss(): void {
    if (this.shell.stdin?.writable) this.shell.stdin.end('done\n');
  }
}

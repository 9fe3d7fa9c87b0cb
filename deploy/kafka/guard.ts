import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';

// Reads the ids of the processes to watch, one line per change, until its input ends: when the
// starting process closes it or dies, even by SIGKILL. Then it kills the processes of the last line
// and removes the folder given as argument. A line "done" dismisses it.
const SCRIPT = `
pids=
while read -r line; do pids=$line; done
[ "$pids" = done ] && exit 0
[ -n "$pids" ] && kill -9 $pids 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do
  [ -z "$1" ] || rm -rf "$1" 2>/dev/null && break
  sleep 0.2
done`;

/** A shell that kills a cluster's processes once the process that started them has died. */
export class Guard {
  private readonly shell: ChildProcess;

  constructor(removeDir: string | undefined) {
    this.shell = spawn('/bin/sh', ['-c', SCRIPT, 'forebay-kafka-guard', removeDir ?? ''], {
      detached: true,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    this.shell.unref();
    // Neither the shell nor its pipe keeps the process running; a killed shell must not end it
    // through a broken pipe.
    (this.shell.stdin as Socket).unref();
    this.shell.stdin?.on('error', () => {});
  }

  watch(pids: readonly number[]): void {
    if (this.shell.stdin?.writable) this.shell.stdin.write(`${pids.join(' ')}\n`);
  }

  /** Lets the processes outlive the one that started them. */
  dismiss(): void {
    if (this.shell.stdin?.writable) this.shell.stdin.end('done\n');
  }
}

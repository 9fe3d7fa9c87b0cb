/**
 * Imported before each test file, with the runner's process id as `?runner=`: no process of a test
 * outlives its run, however it ends.
 */
import { subscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

// The process of a test file ends without Node.js's clean-up, which may spin forever after all tests
// have ended (nodejs/node#47748; seen with 20.20).
process.once('beforeExit', () => {
  // Runs last: other exit handlers run first.
  process.on('exit', () => process.exit());
});

const runner = Number(new URL(import.meta.url).searchParams.get('runner'));
// Processes that a test forks import this file too: they end as their parent has them end.
if (process.ppid === runner) endWithTheRun();

function endWithTheRun() {
  const children = new Set();
  subscribe('child_process', ({ process: child }) => {
    children.add(child);
    child.once('exit', () => children.delete(child));
  });
  process.on('exit', () => {
    for (const child of children) {
      if (child.pid !== undefined && !leadsSession(child.pid)) child.kill('SIGKILL');
    }
  });
  // By default a signal ends a process without its exit handlers.
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM']) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
  }
  setInterval(() => {
    if (process.ppid !== runner) process.exit(1);
  }, 500).unref();
}

/** True for a detached process, which ends by itself, as Kafka's guard does. */
function leadsSession(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name in parentheses: state, parent, process group, session.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3] === String(pid);
  } catch {
    return true;
  }
}

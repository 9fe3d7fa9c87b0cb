/** The load client's process: it is told by messages, and answers each command once. */
import { setPriority } from 'node:os';
import { Load } from './load.ts';
import type { LoadAnswer, LoadCommand } from './messages.ts';

/** Before Kafka, with which it may share a core: what is late here would look like latency. */
const PRIORITY = -10;
try {
  setPriority(PRIORITY);
} catch {
  // Not allowed: the report says how late it was.
}

let load: Load | undefined;

const answer = (message: LoadAnswer) => process.send!(message);

async function obey(command: LoadCommand): Promise<LoadAnswer> {
  switch (command.do) {
    case 'open':
      load = new Load(command.shape);
      await load.open();
      return { is: 'done' };
    case 'run':
      if (load === undefined) throw new Error('nothing is open');
      return { is: 'report', report: await load.run(command.times, (is) => answer({ is })) };
    case 'close':
      load?.close();
      load = undefined;
      return { is: 'done' };
  }
}

process.on('message', (command: LoadCommand) => {
  obey(command).then(answer, (error: Error) => answer({ is: 'failed', message: error.message }));
});
// Its starter is gone: nobody wants the load any more.
process.on('disconnect', () => process.exit());

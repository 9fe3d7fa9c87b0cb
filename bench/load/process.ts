/** Process of the load client: answers each command once. */
import { setPriority } from 'node:os';
import { Load } from './load.ts';
import type { LoadAnswer, LoadCommand } from './messages.ts';

/** Above Kafka, which may share its core: lag here would look like latency. */
const PRIORITY = -10;
try {
  setPriority(PRIORITY);
} catch {
  // Not permitted: the report contains the lag.
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
      if (load === undefined) throw new Error('no load is open');
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
// The parent has exited.
process.on('disconnect', () => process.exit());

/** The command line of `listen`. */
import { parseArgs } from 'node:util';
import { calledAs } from '../called-as.ts';
import { EXIT, StartError } from '../errors.ts';

export interface ListenOptions {
  readonly from: 'beginning' | 'end';
  /** Stop after so many events; undefined = go on until interrupted. */
  readonly count: number | undefined;
  readonly json: boolean;
  readonly verify: boolean;
  readonly help: boolean;
}

export function listenHelp(): string {
  const me = calledAs();
  return `Usage: ${me} listen [options]

Prints the events of the topic, one a line: partition, offset, key, value, separated by tabs.

  --from beginning|end  where to start [end: what comes from now on]
  --count N             stop after N events
  --json                one JSON object a line: partition, offset, timestamp, key, value
  --verify              tell events whose id was seen before, and at the end (or on Ctrl-C) how many
                        events, distinct ids, repeats and events without an id there were, on
                        stderr; exit code 1 if there were repeats. Which ids are missing it cannot
                        tell: only senders know. Remembers each id: about 100 bytes of memory
  --help                this text

Brokers, topic and credentials come from the same variables as the gateway's (${me} --help).
Reads without committing offsets. Ends on Ctrl-C and when the reader of its output has gone.
`;
}

/**
 * Reads the arguments that follow `listen`.
 * @throws StartError (exit code 2), one line, when they are wrong
 */
export function parseListenArguments(argv: readonly string[]): ListenOptions {
  const { from, count, ...flags } = parse(argv);
  if (from !== 'beginning' && from !== 'end') {
    throw wrong(`--from must be beginning or end, not ${JSON.stringify(from)}`);
  }
  if (count !== undefined && !/^[1-9]\d{0,14}$/.test(count)) {
    throw wrong(`--count must be a whole number from 1, not ${JSON.stringify(count)}`);
  }
  return { from, count: count === undefined ? undefined : Number(count), ...flags };
}

function parse(argv: readonly string[]) {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        from: { type: 'string', default: 'end' },
        count: { type: 'string' },
        json: { type: 'boolean', default: false },
        verify: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    const { from, count, json, verify, help } = values;
    return { from, count, json, verify, help };
  } catch (error) {
    // The rest of the message explains how to pass positionals, which there are none of.
    throw wrong((error as Error).message.split(/\. |\.?\n/)[0] ?? 'wrong options');
  }
}

function wrong(message: string): StartError {
  return new StartError(`listen: ${message} (see ${calledAs()} listen --help)`, EXIT.configuration);
}

/** What `listen --help` says. */
import { calledAs } from '../../common/command-name.ts';

export function listenHelp(): string {
  const me = calledAs();
  return `Usage: ${me} listen [options]

Prints the events of the topic, one a line: partition, offset, key, value, separated by tabs.

  --from WHERE            where to start: beginning, end [end: what comes from now on], a time such
                          as 2026-11-25 or 2026-11-25T09:30:00Z (UTC unless it says otherwise), or
                          so long ago: -90s, -15m, -2h, -7d. Times are those of the records
  --partition N           only this partition; several: --partition 0,3 or once for each
  --filter FIELD=TEXT     only events whose field is this text, or the number, true, false or null
                          that is written so; fields within fields with dots: user.name=Ann;
                          @key is the record's key. Of several filters all must hold
  --count N               stop after N events (with --filter: N that it lets through)
  --json                  one JSON object a line: partition, offset, timestamp, key, value
  --rate                  instead of the events, once a second: how many came per second, in all
                          and by partition; not with --verify
  --verify                tell events whose id was seen before, and at the end how many events,
                          distinct ids, repeats and events without an id there were, on stderr;
                          exit code 1 if something was wrong. Which ids are missing it cannot
                          tell: only senders know
  --sequence-field FIELD  with --verify: in this field each client (each record key) counts up by
                          one. Tells numbers that are missing, too, or there twice
  --help                  this text

Brokers, topic and credentials come from the same variables as the gateway's (${me} --help);
make listen adds those of the gateway that make run started, except passwords.
Reads without committing offsets. Waits while Kafka or the topic is not there, and goes on where it
was. Ends on Ctrl-C and when the reader of its output has gone. Coloured on a terminal, unless
NO_COLOR is set; FORCE_COLOR=1 colours everywhere.

Exit codes: 0 ended as asked; 1 --verify found something, or Kafka does not let us read; 2 wrong
options or settings.
`;
}

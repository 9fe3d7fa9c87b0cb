/** Text of `replay --help`. */
import { commandName } from '../../common/command-name.ts';
import { REPLAY_LIMITS } from './limits.ts';

export function replayHelp(): string {
  const me = commandName();
  return `Usage: ${me} replay --from STREAM --stream NAME [options]

Validates the dead letters of a stream against its current schema, and produces those that pass now
to its topic, in the form in which the gateway would have stored them. None that is known to be
stored is replayed twice; those in doubt are marked with the header fb-resent.

  --from STREAM           the internal stream of the dead letters, in FOREBAY_STREAMS_FILE
  --stream NAME           the stream whose dead letters to replay
  --since TIME            only those that arrived at this time or later: a time such as 2026-11-25
                          or 2026-11-25T09:30:00Z (UTC by default), or an age: -90s, -15m, -6h, -7d
                          [all that the topic still has]
  --until TIME            only those that arrived before this time [now]
  --code CODE             only those with this rejection code; several: --code schema,too_large or
                          the option repeated
  --identity NAME         only those of this API key or token; may be repeated
  --partition N           only this partition of the dead letters; several: --partition 0,3 or the
                          option repeated
  --offset N[-M]          only these offsets of the one partition
  --dry-run               count the results by reason, and produce nothing
  --rate N                up to N events per second [no limit]
  --state FILE            the state file [in $XDG_STATE_HOME/forebay or ~/.local/state/forebay, by
                          cluster and topic]
  --json                  the report as one JSON object
  --help                  this text

The state file records what was replayed: run the command again after an interruption, or with
another selection. Keep the file: without it, events are replayed again, and not marked. Each
replayed event has the header fb-replayed with the partition and offset of its dead letter. Events
that an earlier run may have stored also get fb-resent: those of up to ${REPLAY_LIMITS.window} dead
letters for each run that was killed.

Brokers, streams and credentials come from the gateway's environment variables (${me} --help).
Waits for Kafka up to FOREBAY_EVENT_TIMEOUT_MS, but not for a topic that does not exist. On Ctrl-C
it waits for the events in flight and ends. Prints the report on stdout; warnings, and a progress
bar in a terminal, on stderr.

Exit codes: 0 every selected dead letter is replayed; 1 stopped before the end, by Kafka, the schema
registry, a file that cannot be read or written, or a signal; 2 invalid options, settings or stream
file; 3 some are still rejected, or not replayable.
`;
}

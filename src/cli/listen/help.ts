/** Text of `listen --help`. */
import { commandName } from '../../common/command-name.ts';

export function listenHelp(): string {
  const me = commandName();
  return `Usage: ${me} listen [options]

Prints the events of a topic, one per line: partition, offset, key, value, separated by tabs.

  --stream NAME           the topic of this stream of FOREBAY_STREAMS_FILE
  --topic TOPIC           this topic [KAFKA_TOPIC, or the only topic of FOREBAY_STREAMS_FILE]
  --micro URL             the log of the forebay micro with this admin port, in place of a topic;
                          with --stream or --topic only events of that stream or topic
  --from WHERE            start: beginning, end [end: new events only], a time such as 2026-11-25
                          or 2026-11-25T09:30:00Z (UTC by default), or an age: -90s, -15m, -2h,
                          -7d. Times are record timestamps
  --partition N           only this partition; several: --partition 0,3 or the option repeated
  --filter FIELD=TEXT     only events whose field equals this string, or the number, true, false
                          or null with this text; nested fields with dots: user.name=Ann; @key is
                          the record key. An event must match all filters
  --header NAME[=TEXT]    only events with this record header, and with this value
  --without-header NAME   only events without this record header
  --count N               stop after N events (with filters: N matching events)
  --headers               also print the record headers, before the value: name=value, separated
                          by spaces; not with --rate
  --json                  one JSON object per line: partition, offset, timestamp, key, value
  --rate                  instead of events, print the rate once a second, total and by partition;
                          not with --verify
  --verify                report events with a repeated id, and at the end the number of events,
                          distinct ids, repeats and events without an id, on stderr; exit code 1
                          if anything was wrong. Events marked as possible repeats (header
                          fb-resent) are only counted: of the copies of an id, one may be
                          unmarked. Missing ids cannot be detected: only senders know them
  --sequence-field FIELD  with --verify: field that each client (record key) increments by one.
                          Reports missing and repeated numbers, too
  --help                  this text

Values stored as MessagePack (header content-type: application/msgpack) are shown, filtered and
verified as JSON.
Brokers, streams and credentials come from the gateway's environment variables (${me} --help);
make listen adds those of the gateway started by make run, except passwords.
Reads without committing offsets. Waits while Kafka or the topic is unavailable, and resumes at its
position. Ends on Ctrl-C and when the reader of its output exits. Colored on a terminal, unless
NO_COLOR is set; FORCE_COLOR=1 enables colors everywhere.

Exit codes: 0 ended as requested; 1 --verify found an error, or Kafka denied access; 2 invalid
options or settings.
`;
}

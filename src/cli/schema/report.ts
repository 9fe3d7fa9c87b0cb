/** Report of `schema try`. */
import { printable, printableJson } from '../../common/printable.ts';
import { counted } from '../listen/format.ts';
import type { DeadLetters, StoredEvents } from './checks.ts';
import { TRY_LIMITS } from './limits.ts';
import type { FailedExample, Reason, Tally } from './tally.ts';

export interface TryReport {
  /** File of the new schema. */
  readonly schema: string;
  /** Undefined = an installation without a stream file. */
  readonly stream: string | undefined;
  /** Start and end of the range, in milliseconds since 1970. */
  readonly from: 'beginning' | number;
  readonly to: number;
  /** Why the range was not read to its end; undefined = it was. */
  readonly incomplete: string | undefined;
  readonly stored: { readonly topic: string; readonly events: StoredEvents };
  /** Undefined = the stream has none. */
  readonly deadLetters:
    | { readonly name: string; readonly topic: string; readonly letters: DeadLetters }
    | undefined;
}

const WIDTH_MIN = 6;

/** Returns the report for a terminal. */
export function reportText(report: TryReport): string {
  const { schema, stream, from, to, incomplete, stored, deadLetters } = report;
  const of = stream === undefined ? `topic ${stored.topic}` : `stream ${stream}`;
  const lines = [`schema ${schema}, ${of}, from ${timeText(from)} to ${timeText(to)}`];
  const { tally, newlyFailing, newlyPassing } = stored.events;
  lines.push('', `stored events (topic ${stored.topic}): ${number(tally.events)}`);
  const passing = newlyPassing ? `${number(newlyPassing)} of them ${fails(newlyPassing)}` : '';
  lines.push(...resultLines(tally, passing, tally.failed > 0 ? failingNow(newlyFailing) : ''));
  lines.push(...skippedLines(stored.events));
  if (deadLetters !== undefined) lines.push('', ...deadLetterLines(deadLetters));
  if (incomplete !== undefined) lines.push('', `incomplete: ${incomplete}`);
  return `${lines.map(printable).join('\n')}\n`;
}

/** Returns the report as one line of JSON. */
export function reportJson(report: TryReport): string {
  const { schema, stream, from, to, incomplete, stored, deadLetters } = report;
  const { newlyFailing, newlyPassing, withoutValue, ofOtherStreams } = stored.events;
  const json = {
    schema,
    ...(stream !== undefined && { stream }),
    from: timeText(from),
    to: timeText(to),
    complete: incomplete === undefined,
    ...(incomplete !== undefined && { incomplete }),
    stored: {
      topic: stored.topic,
      ...resultsOf(stored.events.tally),
      newlyFailing,
      newlyPassing,
      withoutValue,
      ofOtherStreams,
    },
    deadLetters: deadLetters && {
      stream: deadLetters.name,
      topic: deadLetters.topic,
      ...resultsOf(deadLetters.letters.tally),
      otherCodes: Object.fromEntries(deadLetters.letters.otherCodes),
      ofOtherStreams: deadLetters.letters.ofOtherStreams,
    },
  };
  return `${printableJson(JSON.stringify(json))}\n`;
}

function resultsOf(tally: Tally) {
  const { events, passed, failed, reasons, unlisted } = tally;
  return {
    events,
    pass: passed,
    fail: failed,
    reasons: reasons.map(({ text, count, examples }) => ({
      reason: text,
      count,
      examples: examples.map(({ partition, offset, event }) => ({
        partition,
        // A string: an offset may exceed the precision of a number.
        offset: String(offset),
        ...(event !== undefined && { event }),
      })),
    })),
    otherReasons: unlisted,
  };
}

function deadLetterLines({ name, topic, letters }: NonNullable<TryReport['deadLetters']>) {
  const { tally, otherCodes } = letters;
  const lines = [
    `dead letters (stream ${name}, topic ${topic}, code schema): ${number(tally.events)}`,
    ...resultLines(tally, tally.passed > 0 ? 'recoverable: replay can store them' : ''),
  ];
  const others = [...otherCodes].map(([code, count]) => `${number(count)} ${code}`);
  if (others.length > 0) lines.push(`  not checked, other codes: ${others.join(', ')}`);
  return lines;
}

function fails(count: number): string {
  return `${count === 1 ? 'fails' : 'fail'} the current schema`;
}

/** @param newlyFailing undefined = the current schema is not known */
function failingNow(newlyFailing: number | undefined): string {
  if (newlyFailing === undefined) return '';
  if (newlyFailing === 0) return 'none of them passes the current schema';
  const verb = newlyFailing === 1 ? 'passes' : 'pass';
  return `${number(newlyFailing)} of them ${verb} the current schema`;
}

function skippedLines({ withoutValue, ofOtherStreams }: StoredEvents): string[] {
  const lines: string[] = [];
  if (withoutValue > 0) lines.push(`  skipped: ${counted(withoutValue, 'record')} without a value`);
  if (ofOtherStreams > 0) lines.push(`  skipped: ${number(ofOtherStreams)} of other streams`);
  return lines;
}

/** Returns the lines with the numbers of events, and those of the reasons. */
function resultLines(tally: Tally, passing: string, failing = ''): string[] {
  const { events, passed, failed, reasons, unlisted } = tally;
  if (events === 0) return [];
  const width = Math.max(WIDTH_MIN, number(events).length);
  const line = (name: string, count: number, remark: string) => {
    const share = shareText(count, events).padStart(6);
    const end = remark === '' ? '' : `  ${remark}`;
    return `  ${name}  ${number(count).padStart(width)}  ${share}${end}`;
  };
  const lines = [line('pass', passed, passing), line('fail', failed, failing)];
  const { shownReasons } = TRY_LIMITS;
  for (const reason of reasons.slice(0, shownReasons)) lines.push(...reasonLines(reason, width));
  const hidden = reasons.slice(shownReasons).reduce((sum, { count }) => sum + count, unlisted);
  if (hidden > 0) lines.push(`  ${number(hidden).padStart(width + 6)}  for other reasons`);
  return lines;
}

function reasonLines({ text, count, examples }: Reason, width: number): string[] {
  const indent = ' '.repeat(width + 10);
  return [
    `  ${number(count).padStart(width + 6)}  ${text}`,
    ...examples.map((example) => `${indent}${exampleText(example)}`),
  ];
}

function exampleText({ partition, offset, event }: FailedExample): string {
  return `${partition}:${offset}${event === undefined ? '' : `  ${event}`}`;
}

/** Percentage; only all of them are 100%, and only none 0%. */
function shareText(count: number, of: number): string {
  const percent = (100 * count) / of;
  if (count > 0 && percent < 0.1) return '<0.1%';
  if (count < of && percent > 99.9) return '>99.9%';
  return `${percent.toFixed(1)}%`;
}

function timeText(time: 'beginning' | number): string {
  return time === 'beginning' ? time : new Date(time).toISOString();
}

function number(count: number): string {
  return count.toLocaleString('en');
}

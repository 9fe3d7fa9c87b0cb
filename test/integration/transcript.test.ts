/** The session and the frames in docs/protocol.md match the gateway. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { EVENT_CODES, type EventCode, eventCodes } from '../../src/common/errors.ts';
import { MIB } from '../../src/config/limits.ts';
import { Budget } from '../../src/worker/accumulator/budget.ts';
import { Rejections } from '../../src/worker/acknowledger/rejections.ts';
import { Incoming } from '../../testing/protocol.ts';
import { type Line, recordTranscript, TRANSCRIPT_ENV } from '../../testing/transcript.ts';
import { useStage } from '../support/use-stage.ts';

const document = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
const SESSION = /<!-- written by scripts\/transcript\.ts -->\n+```\n([^`]*)```/;
const stage = useStage({ env: TRANSCRIPT_ENV, end: 'kill' });
let recorded: readonly Line[];

stage.atStart(async () => {
  recorded = await recordTranscript(stage);
});

/** Returns the lines of the document's session; omitted lines count. */
function documented(): { lines: Line[]; sentFrames: number[] } {
  const lines: Line[] = [];
  /** Frames sent on the connection so far, by line. */
  const sentFrames: number[] = [];
  let sent = 0;
  for (const line of document.match(SESSION)![1]!.split('\n').slice(0, -1)) {
    const [, mark, text] = line.match(/^([<>-]) (.*)$/) ?? [];
    const [, more] = line.match(/^ {2}… and (\d+) frames like it$/) ?? [];
    assert(mark !== undefined || more !== undefined, `what is '${line}'?`);
    sent = text?.startsWith('connected') ? 0 : sent + Number(more ?? (mark === '>' ? 1 : 0));
    if (mark === undefined) continue;
    lines.push({ mark: mark as Line['mark'], text: text! });
    sentFrames.push(sent);
  }
  return { lines, sentFrames };
}

/** Returns paths and types of a value: `errors[].code string`. */
function fields(value: unknown, place = ''): string[] {
  if (Array.isArray(value))
    return [...new Set(value.flatMap((item) => fields(item, `${place}[]`)))];
  if (typeof value !== 'object' || value === null) return [`${place} ${typeof value}`];
  return Object.entries(value).flatMap(([name, inner]) => fields(inner, `${place}.${name}`));
}

/** Returns the fields of each kind of server frame, over all frames of the kind. */
function shapes(frames: readonly object[]): Record<string, string[]> {
  const found: Record<string, Set<string>> = {};
  for (const frame of frames) {
    const kind = Object.keys(frame)[0]!;
    found[kind] ??= new Set();
    for (const field of fields(frame)) found[kind].add(field);
  }
  return Object.fromEntries(Object.entries(found).map(([kind, all]) => [kind, [...all].sort()]));
}

function serverFrames(lines: readonly Line[]): object[] {
  return lines.filter(({ mark }) => mark === '<').map(({ text }) => JSON.parse(text) as object);
}

test('the session has every kind of server frame, with the fields that the gateway sends', () => {
  const real = shapes(serverFrames(recorded));
  assert.deepEqual(Object.keys(real).sort(), ['ack', 'credit', 'goaway', 'hello', 'nack']);
  assert.deepEqual(shapes(serverFrames(documented().lines)), real);
});

test('the session has the directions and connection ends of a new recording', () => {
  const course = (lines: readonly Line[]) => {
    const steps = lines.map(({ mark, text }) => {
      if (mark === '-') return text;
      return mark === '<' ? Object.keys(JSON.parse(text))[0] : 'sent';
    });
    // Acks are coalesced, and repeated frames have no lines of their own.
    return steps.filter((step, index) => step !== steps[index - 1]);
  };
  assert.deepEqual(course(documented().lines), course(recorded));
});

test('the session follows the protocol', () => {
  const { lines, sentFrames } = documented();
  let incoming = new Incoming();
  const violations: string[] = [];
  for (const [index, { mark, text }] of lines.entries()) {
    if (text.startsWith('connected')) incoming = new Incoming();
    if (mark === '<') violations.push(...incoming.take(text, sentFrames[index]!).violations);
  }
  assert.deepEqual(violations, []);
});

test('single frames in the text have the fields that the gateway sends', () => {
  const real = shapes([...serverFrames(recorded), nackOf('buffer_full')]);
  const spans = [...document.matchAll(/`(\{"(?:hello|ack|nack|credit|goaway)":.*?\})`/g)];
  // The recorded session has no stream file.
  const texts = spans.map(([, text]) => text!).filter((text) => !text.includes('"streams"'));
  const frames = texts.map((text) => JSON.parse(text) as object);
  assert.deepEqual(Object.keys(shapes(frames)).sort(), Object.keys(real).sort());
  for (const frame of frames) {
    const [[kind, has]] = Object.entries(shapes([frame])) as [[string, string[]]];
    for (const field of has) assert(real[kind]!.includes(field), `${field} of a ${kind}`);
    if (kind !== 'nack') assert.deepEqual(has, real[kind]);
  }
});

/** Returns the nack of one event; a healthy gateway sends no codes with `retry`. */
function nackOf(code: EventCode): object {
  const rejections = new Rejections(new Budget(MIB));
  rejections.add(0, code, EVENT_CODES[code].text);
  return { nack: 1, errors: rejections.entries() };
}

test('fields of a nack’s entry, by code', () => {
  for (const code of eventCodes) {
    const { retry } = EVENT_CODES[code];
    const names = ['code', 'events', 'message', 'retry', ...(retry ? ['retryAfterMs'] : [])];
    const [entry] = (nackOf(code) as { errors: object[] }).errors;
    assert.deepEqual(Object.keys(entry!).sort(), names);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Automaton } from '../../../../src/worker/decoder/kernel/plan.ts';
import { DRAFTS } from '../../../../src/worker/intake/drafts.ts';
import { formatRule, plannedFormats } from '../../../../src/worker/schema-plan/automata/formats.ts';
import { acceptsText } from '../../../../src/worker/schema-plan/strings.ts';
import { Random } from '../random.ts';

const SAMPLES = 40;
const USUAL: Readonly<Record<string, readonly string[]>> = {
  date: ['2026-11-30', '2024-02-29', '2000-02-29'],
  time: ['17:29:30Z', '17:29:30.123456+02:00', '00:00:00-0530'],
  'date-time': ['2026-11-30T17:29:30.123Z', '2026-11-30T17:29:30+02:00', '2026-11-30t17:29:30z'],
  'iso-time': ['17:29:30', '17:29:30.5Z'],
  'iso-date-time': ['2026-11-30T17:29:30', '2026-11-30 17:29:30+01'],
  duration: ['P1Y2M3DT4H5M6S', 'PT36H', 'P4W', 'P1M'],
  uri: [
    'https://shop.example/p/1?a=b#c',
    'urn:isbn:0451450523',
    'mailto:a@b.example',
    'http://127.0.0.1:80',
  ],
  'uri-reference': ['/p/1', '../a', '#c', '', '?q=%20', 'com.example/source', '//cdn.example/x.js'],
  url: ['https://shop.example/p/1?a=b#c', 'http://a.b-c.example:8080'],
  email: ['a.b+c@example.co.uk', 'A_1@sub.example'],
  hostname: ['shop.example', 'localhost', 'a-1.b.example.'],
  ipv4: ['127.0.0.1', '255.255.255.255'],
  ipv6: ['::1', '2001:db8::ff00:42:8329', 'fe80:0:0:0:0:0:0:1', '::', '1::'],
  uuid: ['123e4567-e89b-12d3-a456-426614174000', 'urn:uuid:123E4567-E89B-12D3-A456-426614174000'],
  'json-pointer': ['', '/a/~0b/~1/é'],
  'json-pointer-uri-fragment': ['#', '#/a/%20'],
  'relative-json-pointer': ['0#', '1/a'],
  byte: ['', 'aGk=', 'aGVsbG8h', 'YQ=='],
};

test('each format accepts usual values, and only those that ajv accepts', () => {
  const { compiler } = DRAFTS[2]!.create();
  const random = new Random(1);
  assert.deepEqual(plannedFormats().toSorted(), Object.keys(USUAL).toSorted());
  for (const format of plannedFormats()) {
    const isValid = compiler.compile({ type: 'string', format });
    const rule = formatRule(format)!;
    for (const text of USUAL[format]!) assert(acceptsText(rule, text), `${format}: ${text}`);
    const [automaton] = rule.automata!;
    const live = liveStates(automaton!);
    for (let index = 0; index < SAMPLES; index++) {
      const text = acceptedText(automaton!, live, random);
      if (acceptsText(rule, text)) assert(isValid(text), `${format}: ${JSON.stringify(text)}`);
    }
  }
});

/** Returns the states from which a text can be accepted. */
function liveStates({ accepting, classCount, transitions }: Automaton): Set<number> {
  const live = new Set([...accepting.keys()].filter((state) => accepting[state] === 1));
  let size = 0;
  while (size < live.size) {
    size = live.size;
    for (const [index, next] of transitions.entries()) {
      if (live.has(next)) live.add(Math.floor(index / classCount));
    }
  }
  return live;
}

function acceptedText(automaton: Automaton, live: ReadonlySet<number>, random: Random): string {
  const { start, classes, classCount, accepting, transitions } = automaton;
  const bytes: number[] = [];
  let state = start;
  while (accepting[state] !== 1 || random.chance(0.9)) {
    const row = [...transitions.subarray(state * classCount, (state + 1) * classCount)];
    const possible = [...row.keys()].filter((each) => live.has(row[each]!));
    if (possible.length === 0) break;
    const chosen = random.pick(possible);
    bytes.push(random.pick([...classes.keys()].filter((byte) => classes[byte] === chosen)));
    state = row[chosen]!;
  }
  return Buffer.from(bytes).toString();
}

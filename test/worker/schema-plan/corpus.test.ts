import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SAMPLES } from './corpus.ts';
import { PlannedSchema } from './differential.ts';
import { Random } from './random.ts';

const VARIANTS = 100;
const DECIDED_MIN = 0.95;

for (const { name, schema, events } of SAMPLES) {
  test(`good events of a published schema are decided: ${name}`, () => {
    const planned = new PlannedSchema(schema);
    const random = new Random(1);
    let decided = 0;
    const undecided: string[] = [];
    for (let index = 0; index < VARIANTS; index++) {
      const text = written(random.pick(events), random);
      const { isDecided, isValid } = planned.decide(text);
      assert(isValid, text);
      if (isDecided) decided++;
      else undecided.push(text);
    }
    const { slowParts } = planned.plan;
    assert(decided >= DECIDED_MIN * VARIANTS, JSON.stringify([decided, slowParts, undecided[0]]));
  });
}

/** Writes a value with members in any order, white space and escapes. */
function written(value: unknown, random: Random): string {
  const blank = () => (random.chance(0.1) ? random.pick([' ', '\n  ', '\t']) : '');
  if (typeof value === 'string') {
    const text = JSON.stringify(value);
    return random.chance(0.05)
      ? text.replace(/[a-zé]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      : text;
  }
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) {
    const items = value.map((item) => `${blank()}${written(item, random)}${blank()}`);
    return `[${items.join()}]`;
  }
  const members = Object.entries(value).map(
    ([name, item]) =>
      `${blank()}${JSON.stringify(name)}${blank()}:${blank()}${written(item, random)}`,
  );
  return `{${members.toSorted(() => random.next() - 0.5).join()}${blank()}}`;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventField } from '../../../src/worker/decoder/event-field.ts';
import type { RecordFields } from '../../../src/worker/decoder/kernel/plan.ts';
import type { CompiledSchema } from '../../../src/worker/intake/compile-schema.ts';
import { compileQuickly, PlannedSchema } from './differential.ts';
import { Random } from './random.ts';
import { randomEvent } from './random-event.ts';
import { randomSchema } from './random-schema.ts';
import { smallEvent, smallSchema } from './small-schema.ts';

/** PLAN_CASES=1000000 runs more, PLAN_SEED=… others. */
const CASES = Number(process.env.PLAN_CASES ?? 4_000);
const SEED = Number(process.env.PLAN_SEED ?? 1);
const EVENTS = 80;
const FIELDS = ['a', 'b', 'a.b', 'c.a', 'b.a.c', 'é'];

test('no event is accepted that ajv rejects, and the fields of the record are those of the event', () => {
  const counts = { cases: 0, valid: 0, decided: 0, schemas: 0, planned: 0 };
  for (let seed = SEED; counts.cases < CASES; seed++) {
    const random = new Random(seed);
    const isSmall = seed % 2 === 0;
    const schema = isSmall ? smallSchema(random) : randomSchema(random, seed);
    const fields = random.chance(0.5) ? {} : randomFields(random);
    const compiled = compileIfUsable(schema);
    if (compiled === undefined) continue;
    const planned = new PlannedSchema(schema, fields, compiled);
    counts.schemas++;
    if (planned.plan.event !== undefined) counts.planned++;
    for (let index = 0; index < EVENTS; index++) {
      const text = isSmall ? smallEvent(random) : randomEvent(schema, random);
      const { isDecided, isValid, key, id } = planned.decide(text);
      counts.cases++;
      if (isValid) counts.valid++;
      if (!isDecided) continue;
      counts.decided++;
      const context = `seed ${seed}: ${JSON.stringify(schema)} accepts ${text}`;
      assert(isValid, `${context}: ${JSON.stringify(planned.compiled.validate.errors)}`);
      const event = JSON.parse(text) as Record<string, unknown>;
      assert.equal(key, keyText(event, fields.key?.[0]), context);
      const value = fields.id === undefined ? undefined : new EventField(fields.id).valueIn(event);
      assert.equal(id, typeof value === 'string' ? value : undefined, context);
    }
  }
  if (process.env.PLAN_CASES !== undefined) console.log(counts);
  assert(
    counts.decided > counts.valid / 3,
    `few valid events are decided: ${JSON.stringify(counts)}`,
  );
  assert(counts.valid > counts.cases / 5, `few events are valid: ${JSON.stringify(counts)}`);
});

function compileIfUsable(schema: object): CompiledSchema | undefined {
  try {
    return compileQuickly(JSON.stringify(schema));
  } catch {
    return undefined;
  }
}

function randomFields(random: Random): RecordFields {
  const fields = { key: [random.pick(FIELDS)], id: random.pick([undefined, ...FIELDS]) };
  return random.chance(0.3) ? { ...fields, trace: random.pick(FIELDS) } : fields;
}

function keyText(event: Record<string, unknown>, name: string | undefined): string | undefined {
  if (name === undefined) return undefined;
  const value = new EventField(name).valueOrObstacleIn(event);
  assert(value !== null && typeof value !== 'object', 'events with such a key are undecided');
  return value === undefined ? undefined : String(value);
}

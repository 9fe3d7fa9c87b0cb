import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RecordFields } from '../../../src/worker/decoder/kernel/plan.ts';
import { buildTable } from '../../../src/worker/decoder/kernel/table.ts';
import { TableValidator } from '../../../src/worker/decoder/kernel/table-validator.ts';
import { locateOnly } from '../../../src/worker/schema-plan/plan-schema.ts';
import { PlannedSchema } from './differential.ts';

function isAccepted(fields: RecordFields, text: string): boolean {
  const event = locateOnly(fields);
  const table = buildTable([event]);
  const validator = new TableValidator(table);
  const bytes = Buffer.from(text);
  validator.load(bytes, 0, bytes.length);
  return validator.objectEnd(0, bytes.length, 8) === bytes.length;
}

test('a plan without schema accepts every object, and nothing else', () => {
  for (const text of ['{}', '{"a":{"b":[1e400,null]}}', '{"a":1,"a":2,"__proto__":{}}']) {
    assert(isAccepted({}, text), text);
    assert(isAccepted({ key: ['x.y'], id: 'z' }, text), text);
  }
  for (const text of ['[]', '1', '"a"', 'null', '{', '{"a":}']) {
    assert(!isAccepted({}, text), text);
  }
});

test('fields of plain and nested names are located within a schema', () => {
  const schema = {
    type: 'object',
    properties: {
      user: { type: 'object', required: ['id'], properties: { name: { type: 'string' } } },
    },
  };
  const planned = new PlannedSchema(schema, { key: ['user.id'], id: 'user.name' });
  const { key, id } = planned.decide('{"user":{"id":7,"name":"Ada"}}');
  assert.deepEqual([key, id], ['7', 'Ada']);
  const literal = planned.decide('{"user.id":"x","user.name":"y"}');
  assert.deepEqual([literal.key, literal.id], ['x', 'y']);
  for (const text of [
    '{"user":{"id":7},"user.id":"x"}',
    '{"user":{"id":7,"id":8}}',
    '{"user":{"id":null}}',
    '{"user":{"id":{}}}',
  ]) {
    assert(!planned.decide(text).isDecided, text);
  }
});

test('a key of too many fields is not planned', () => {
  const planned = new PlannedSchema({ type: 'object' }, { key: ['a', 'b', 'c', 'd', 'e'] });
  assert.equal(planned.plan.event, undefined);
  assert.match(planned.plan.slowParts[0]!.why, /more than 4 fields/);
});

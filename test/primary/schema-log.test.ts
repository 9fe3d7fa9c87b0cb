import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PrimaryLog } from '../../src/primary/deferred-log.ts';
import { logSchema, logSchemaAnew } from '../../src/primary/schema-log.ts';
import { until } from '../../testing/wait.ts';

const warnings = {
  schema: { ignored: ['/requird is not a keyword'], unmatchable: ['/type allows no object'] },
  certificates: [],
};
const lines = [
  ['warn', { problem: '/type allows no object' }, 'event schema rejects every event'],
  ['warn', { problem: '/requird is not a keyword' }, 'part of the event schema ignored'],
];

test('a start and a rolling restart log why no event matches, and each ignored part', async () => {
  const written: unknown[] = [];
  const log = { write: (...line: unknown[]) => written.push(line) } as unknown as PrimaryLog;
  logSchema(log, warnings);
  assert.deepEqual(written.splice(0), lines);
  logSchemaAnew(log, () => Promise.reject(new Error('reported by the workers')));
  logSchemaAnew(log, async () => warnings);
  await until(() => written.length === lines.length);
  assert.deepEqual(written, lines);
});

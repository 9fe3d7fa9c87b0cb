import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DeferredLog } from '../../src/primary/deferred-log.ts';
import { logReloadedSchema, logSchema } from '../../src/primary/schema-log.ts';
import { until } from '../../testing/wait.ts';

const warnings = {
  schema: { ignored: ['/requird is not a keyword'], unmatchable: ['/type allows no object'] },
  certificates: [],
  keys: [],
  streams: undefined,
};
const lines = [
  ['warn', { problem: '/type allows no object' }, 'event schema rejects every event'],
  ['warn', { problem: '/requird is not a keyword' }, 'part of the event schema ignored'],
];

test('start and rolling restart log why no event matches, and each ignored part', async () => {
  const written: unknown[] = [];
  const log = { write: (...line: unknown[]) => written.push(line) } as unknown as DeferredLog;
  logSchema(log, warnings);
  assert.deepEqual(written.splice(0), lines);
  logReloadedSchema(log, () => Promise.reject(new Error('reported by the workers')));
  logReloadedSchema(log, async () => warnings);
  await until(() => written.length === lines.length);
  assert.deepEqual(written, lines);
});

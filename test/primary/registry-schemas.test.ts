import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistrySchemas } from '../../src/primary/registry-schemas.ts';
import type { SchemaRegistry } from '../../src/schema-registry/registry.ts';

const NAME = { subject: 'clicks-value', requested: 'latest' } as const;

/** Schemas of two streams, one of them known. */
function rig() {
  const calls: unknown[] = [];
  const registry = {
    failures: 3,
    ageSeconds: ({ requested }: typeof NAME) => (requested === 'latest' ? 7 : undefined),
    start: () => calls.push('start'),
    stop: () => calls.push('stop'),
  } as unknown as SchemaRegistry;
  const log = {
    write: (level: string, fields: object, message: string) => calls.push([level, fields, message]),
  };
  const schemas = new RegistrySchemas(registry, log as never, {
    schemaNames: [
      ['clicks', NAME],
      ['orders', { subject: 'orders-value', requested: 2 }],
    ],
    metrics: { rejected: () => calls.push('rejected') },
    reread: async () => void calls.push('reread'),
  });
  return { schemas, calls };
}

test('a later version is loaded by the path of changed files', () => {
  const { schemas, calls } = rig();
  schemas.start();
  schemas.changed();
  schemas.stop();
  assert.deepEqual(calls, ['start', 'reread', 'stop']);
});

test('an unusable version counts as a rejected reload; failures are only logged', () => {
  const { schemas, calls } = rig();
  schemas.rejected(NAME, 'is broken');
  schemas.failed(NAME, 'response 500');
  schemas.recovered(NAME);
  schemas.notCopied(NAME, 'no space');
  assert.deepEqual(calls, [
    'rejected',
    [
      'error',
      { ...NAME, reason: 'is broken' },
      'schema of the registry rejected, keeping the previous version',
    ],
    ['warn', { ...NAME, reason: 'response 500' }, 'schema registry request failed'],
    ['info', NAME, 'schema registry is up to date again'],
    ['warn', { ...NAME, reason: 'no space' }, 'copy of a schema not written'],
  ]);
});

test('each stream with a known schema has its age', () => {
  const { schemas } = rig();
  assert.deepEqual(schemas.ages, [{ stream: 'clicks', seconds: 7 }]);
  assert.equal(schemas.failures, 3);
  const none = new RegistrySchemas(undefined, {} as never, {
    schemaNames: [],
    metrics: { rejected: () => {} },
    reread: async () => {},
  });
  none.start();
  none.stop();
  assert.deepEqual([none.ages, none.failures], [[], 0]);
});

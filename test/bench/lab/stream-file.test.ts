import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeStreamFile } from '../../../bench/lab/stream-file.ts';
import { KINDS, kindSchema } from '../../../bench/load/kinds.ts';

interface Written {
  readonly routing?: unknown;
  readonly streams: Record<string, { match?: string[]; schema?: { file: string } }>;
}

function written(t: TestContext, spec: Parameters<typeof writeStreamFile>[2]) {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { path, topics } = writeStreamFile(folder, 'bench', spec);
  return { folder, topics, file: JSON.parse(readFileSync(path, 'utf8')) as Written };
}

test('routed streams have the schemas of the mixed body, or none', (t) => {
  const { folder, topics, file } = written(t, { routed: 'schemas' });
  assert.equal(topics.length, KINDS);
  assert.deepEqual(file.routing, { field: 'type', unknown: 'refuse' });
  for (const [index, { match, schema }] of Object.values(file.streams).entries()) {
    assert.deepEqual(match, [`s${index}`]);
    const text = readFileSync(join(folder, schema!.file), 'utf8');
    assert.deepEqual(JSON.parse(text), kindSchema(index));
  }
  const { streams } = written(t, { routed: 'any' }).file;
  for (const { match, schema } of Object.values(streams)) {
    assert.deepEqual([match?.length, schema], [1, undefined]);
  }
});

test('named streams have no routing', (t) => {
  const { topics, file } = written(t, { named: 2 });
  assert.deepEqual(topics, ['bench.s0', 'bench.s1']);
  assert.equal(file.routing, undefined);
});

/**
 * docs/development.md lists every target of the Makefile, and its requirements by their correct
 * names.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../../deploy/kafka/jars.ts';

const read = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const [, section = ''] = read('docs/development.md').split('\n## Make targets\n');
const rows = section
  .split('\n## ')[0]!
  .split('\n')
  .filter((line) => line.startsWith('| `make '))
  .map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );

test('the table has each documented target of the Makefile, and no other', () => {
  const targets = [...read('Makefile').matchAll(/^([a-z-]+):.*## /gm)].map(([, name]) => name!);
  const named = rows.map(([cell = '']) => /^`make ([a-z-]+)`$/.exec(cell)?.[1]);
  assert.deepEqual(named.sort(), targets.sort());
  for (const row of rows) {
    assert.equal(row.length, 4, `cells of ${row[0]}`);
    assert(row[1] !== '' && row[3] !== '', `${row[0]} says what it does and takes`);
  }
});

/** Requirements that are not Debian packages: explained above the table, or obvious. */
const OTHERS = ['Kafka', 'KAFKA_BROKERS', 'Docker', 'a running Kafka', '[tools](#tools)'];

test('requirements of targets are tools known to the tests, or explained on the page', () => {
  const packages = read('.ci/packages.txt').split('\n');
  const tools = packages.flatMap((line) =>
    line.startsWith('#') ? [] : line.split(' ').slice(0, 1),
  );
  const known = new Set([
    ...tools,
    ...OTHERS,
    'the registry',
    'buildah',
    'podman',
    'kubectl',
    'python3',
    'go',
  ]);
  const needs = rows.flatMap(([, , cell = '']) => cell.trim().split(/, (?:or )?|; /));
  const unknown = needs.filter((need) => need !== '' && !known.has(need));
  assert.deepEqual(unknown, []);
});

test('the page names the targets that need the gateway’s Node.js', () => {
  const [, list = ''] = /Targets that run the gateway \(([^)]*)\)/.exec(section) ?? [];
  const named = [...list.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name!);
  const targets = [...read('Makefile').matchAll(/^([a-z-]+): gateway-node .*## /gm)];
  assert.deepEqual(named.sort(), targets.map(([, name]) => name!).sort());
});

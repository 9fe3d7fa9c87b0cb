/** Analysis of regular expressions, and the thread in which it runs: seconds of CPU time. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { JsonObject } from '../../src/common/json-object.ts';
import { readConfig } from '../../src/config/config.ts';
import { checkFiles, streamLoader } from '../../src/config/file-check.ts';
import { SCHEMA_LIMITS } from '../../src/config/schema-limits.ts';
import { checkSchemas } from '../../src/schemas/checker.ts';

const folder = mkdtempSync(join(tmpdir(), 'forebay-checker-'));
after(() => rmSync(folder, { recursive: true }));

/** Results for schemas with these values of the property a: the error, or undefined. */
async function errorsOf(values: readonly JsonObject[]): Promise<(string | undefined)[]> {
  const texts = values.map((a) => JSON.stringify({ properties: { a } }));
  const results = await checkSchemas(texts, 64 * 1024);
  return texts.map((text) => {
    const result = results.get(text)!;
    return 'error' in result ? result.error : undefined;
  });
}

test('regular expressions that take exponential time are rejected, with pointer and example', async () => {
  const sources = [
    '^(a+)+$',
    '(x+x+)+y',
    '^(a|a)*$',
    '^(a|ab|b)*c$',
    '(\\s*,\\s*)+$',
    '^(a?){50}a{50}$',
  ];
  const errors = await errorsOf(sources.map((pattern) => ({ pattern })));
  for (const [index, error = ''] of errors.entries()) {
    assert.match(
      error,
      /^is too expensive: \/properties\/a\/pattern takes time that grows exponentially with the/,
      sources[index],
    );
    assert(error.includes(`rewrite ${JSON.stringify(sources[index])}`), error);
  }
  const [bounded] = await errorsOf([{ pattern: '^(a+)+$', maxLength: 1_000 }]);
  assert.match(bounded ?? '', /exponentially/);
});

test('a regular expression of polynomial time is usable up to a length, which its error states', async () => {
  const pattern = '^[^@]+@[^@]+\\.[^@]+$';
  const [free = '', long = '', short] = await errorsOf([
    { pattern },
    { pattern, maxLength: 60_000 },
    { pattern, maxLength: 254 },
  ]);
  const message = /with the square of the length .*, or limit texts by maxLength to (\d+)$/;
  for (const error of [free, long]) {
    const [, limit] = message.exec(error) ?? [];
    assert(Number(limit) >= 254, error);
  }
  assert.equal(short, undefined);
});

test('regular expressions in use are accepted', async () => {
  const sources = [
    '^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)$',
    '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$',
    '^(?=.*\\d)(?=.*[a-z]).{8,32}$',
    '^https?://[^\\s/$.?#].[^\\s]*$',
    '^\\p{L}+( \\p{L}+)*$',
    '^(desktop|mobile|tablet)$',
  ];
  assert.deepEqual(
    await errorsOf(sources.map((pattern) => ({ pattern }))),
    sources.map(() => undefined),
  );
});

test('names of patternProperties, and patterns in definitions, are analyzed', async () => {
  const [names = '', inner = ''] = await errorsOf([
    { patternProperties: { '^(a+)+$': {} } },
    { allOf: [{ items: { pattern: '^(a+)+$' } }] },
  ]);
  assert.match(names, /\/properties\/a\/patternProperties\/\^\(a\+\)\+\$ takes time/);
  assert.match(inner, /\/properties\/a\/allOf\/0\/items\/pattern takes time/);
});

test('a check that does not end in time is stopped, and later schemas are checked', async (context) => {
  const limits = SCHEMA_LIMITS as { checkMs: number };
  const { checkMs } = limits;
  context.after(() => {
    limits.checkMs = checkMs;
  });
  limits.checkMs = 1;
  const slow = JSON.stringify({ title: 'slow', pattern: '(x+x+)+y' });
  assert.match(
    JSON.stringify((await checkSchemas([slow], 1_024)).get(slow)),
    /its check takes more than 0.001 s/,
  );
  limits.checkMs = checkMs;
  const plain = JSON.stringify({ title: 'plain' });
  assert.deepEqual((await checkSchemas([plain], 1_024)).get(plain), {
    warnings: { ignored: [], unmatchable: [] },
  });
});

test('FOREBAY_EVENT_SCHEMA and the schemas of a stream file are checked at load', async () => {
  const hostile = join(folder, 'hostile.json');
  writeFileSync(hostile, JSON.stringify({ properties: { a: { pattern: '^(a+)+$' } } }));
  await assert.rejects(checkFiles(readConfig({ FOREBAY_EVENT_SCHEMA: hostile })), {
    message: /^FOREBAY_EVENT_SCHEMA: .*hostile\.json is too expensive: \/properties\/a\/pattern /,
    exitCode: 2,
  });
  writeFileSync(join(folder, 'good.json'), '{"properties":{"a":{"pattern":"^a"}}}');
  const path = join(folder, 'streams.yaml');
  writeFileSync(
    path,
    'version: 1\nstreams:\n  clicks:\n    topic: t\n' +
      '    schema: { file: good.json, candidate: hostile.json }\n',
  );
  const load = await streamLoader(readConfig({}), path);
  assert.throws(load, {
    message: /streams\.yaml:5:\d+: streams\.clicks\.schema\.candidate: hostile\.json is too exp/,
    exitCode: 2,
  });
});

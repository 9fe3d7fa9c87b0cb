/** docs/doctor.md and the issue template. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BROKER_STEPS } from '../../../src/cli/doctor/broker-probe.ts';
import { SCRATCH_STEPS, SCRATCH_TOPIC } from '../../../src/cli/doctor/scratch-topic.ts';
import { TOPIC_STEPS } from '../../../src/cli/doctor/topics.ts';

const PAGE = readFileSync('docs/doctor.md', 'utf8');
const [, TABLE = ''] = PAGE.split('\n## Steps\n');

test('the table of the page names each step', () => {
  const cells = TABLE.split('\n').flatMap((line) => (line.split('|')[2] ?? '').split(', '));
  const named = new Set(cells.map((cell) => cell.trim()));
  for (const step of [...BROKER_STEPS, ...TOPIC_STEPS, ...SCRATCH_STEPS])
    assert(named.has(step), step);
  assert(PAGE.includes(`named \`${SCRATCH_TOPIC}\``), 'the page names the scratch topic');
});

test('the issue template asks for the output, in a place for it', () => {
  const template = readFileSync('.github/ISSUE_TEMPLATE/bug-report.md', 'utf8');
  assert.match(template, /^\*\*Output of `doctor`\*\*/m);
  assert.match(template, /<code>node dist\/main\.js doctor<\/code>/);
});

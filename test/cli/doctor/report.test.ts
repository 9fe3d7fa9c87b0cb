import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOf, Report } from '../../../src/cli/doctor/report.ts';

function sample(): Report {
  const report = new Report(() => {});
  const section = report.section('broker 10.0.0.7:9092');
  section.ok('port', 'connected in 1 ms');
  section.fail('login', 'Kafka authentication failed', 'check the password');
  section.skip(['topic', 'write'], 'the step login failed');
  return report;
}

test('each finding is a line below the name of its section, with what to do below it', () => {
  let previous: string | undefined;
  const lines = sample().findings.flatMap((finding) => {
    const added = linesOf(finding, previous);
    previous = finding.section;
    return added;
  });
  assert.deepEqual(lines, [
    'broker 10.0.0.7:9092',
    '  ok    port             connected in 1 ms',
    '  fail  login            Kafka authentication failed',
    '                         check the password',
    '  skip  topic            the step login failed',
    '  skip  write            the step login failed',
  ]);
});

test('JSON has the findings, their numbers, and whether none failed', () => {
  const facts = { version: '1.2.3', node: '24.0.0', platform: 'linux x64' };
  const { findings, ...rest } = JSON.parse(sample().json(facts));
  assert.deepEqual(rest, { ...facts, ok: false, counts: { ok: 1, warn: 0, fail: 1, skip: 2 } });
  assert.deepEqual(findings[1], {
    section: 'broker 10.0.0.7:9092',
    step: 'login',
    status: 'fail',
    detail: 'Kafka authentication failed',
    advice: 'check the password',
  });
  assert.equal(sample().summary(), '1 failed, 1 ok, 2 skipped');
  assert.equal(JSON.parse(new Report(() => {}).json(facts)).ok, true);
});

test('texts contain no credentials of URLs and no control characters', () => {
  const report = new Report(() => {});
  const text = 'http://me:hunter2@host/?token=hunter2 answers \x1b[31mred';
  report.section(text).warn('JWKS', text, text);
  const [finding] = report.findings;
  assert(finding !== undefined);
  for (const shown of [finding.section, finding.detail, finding.advice ?? '']) {
    assert.match(shown, /^http:\/\/\(hidden\)@host\/\?\(hidden\) answers \\x1b\[31mred$/);
  }
});

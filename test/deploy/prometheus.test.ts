/** Scrape configuration, recording rules and alerts: by promtool, and against the project. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { EVENT_CODES } from '../../src/common/errors.ts';
import { readConfig } from '../../src/config/config.ts';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import { missingTool } from '../../testing/tools.ts';
import { seriesIn } from '../support/dashboards.ts';
import type { Alert, RuleFile } from '../support/prometheus.ts';

const FOLDER = join(ROOT, 'deploy/prometheus');
const UNIT_TESTS = join(ROOT, 'test/deploy/prometheus/alerts.yml');
const text = (path: string) => readFileSync(join(ROOT, path), 'utf8');
const rulesOf = (name: string) =>
  (parse(text(`deploy/prometheus/${name}`)) as RuleFile).groups.flatMap(({ rules }) => rules);
const alerts = rulesOf('alerts.yml').filter((rule): rule is Alert => 'alert' in rule);

function promtool(...args: readonly string[]): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' });
  assert.equal(status, 0, `promtool ${args.join(' ')}:\n${stdout}${stderr}`);
}

const skip = missingTool('promtool');

test('promtool accepts the configuration and the rules', { skip }, () => {
  promtool('check', 'config', join(FOLDER, 'prometheus.yml'));
  promtool('check', 'rules', join(FOLDER, 'recording.yml'), join(FOLDER, 'alerts.yml'));
});

test('every alert fires for its fault, and not for similar states', { skip }, () => {
  promtool('test', 'rules', UNIT_TESTS);
});

test('every alert has a test, with one time at which it fires and one at which it does not', () => {
  interface Expectation {
    alertname: string;
    exp_alerts: unknown[];
  }
  const { tests } = parse(readFileSync(UNIT_TESTS, 'utf8')) as {
    tests: { alert_rule_test?: Expectation[] }[];
  };
  const expectations = tests.flatMap(({ alert_rule_test = [] }) => alert_rule_test);
  for (const { alert } of alerts) {
    const own = expectations.filter(({ alertname }) => alertname === alert);
    assert(
      own.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} never fires`,
    );
    assert(
      own.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} is never silent`,
    );
  }
});

test('every alert says what is wrong and what to do, and has a runbook section', () => {
  const runbook = text('docs/operations.md');
  const headings = [...runbook.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading!);
  for (const { alert, labels, annotations } of alerts) {
    assert.match(alert, /^Forebay[A-Z]/);
    assert(['critical', 'warning'].includes(labels.severity), alert);
    const { summary, description, runbook_url } = annotations;
    assert.match(summary, /\{\{ \$labels\.instance \}\}/, alert);
    assert(description.length > 40, alert);
    assert.equal(runbook_url, `docs/operations.md#${alert.toLowerCase()}`);
    assert(headings.includes(alert), `docs/operations.md has no heading ${alert}`);
  }
  const sections = headings.filter((heading) => /^Forebay[A-Z]\w+$/.test(heading));
  assert.deepEqual(sections.sort(), alerts.map(({ alert }) => alert).sort());
});

test('rules query existing series', () => {
  const known = new Set<string>(CATALOGUE.map(({ name }) => name));
  for (const { expr } of [...rulesOf('recording.yml'), ...alerts]) {
    const recorded = expr.replaceAll(/\b(instance|stream):\w+(:\w+)?/g, '');
    assert.deepEqual(
      seriesIn(recorded).filter((name) => !known.has(name)),
      [],
      expr,
    );
  }
});

test('events permanently rejected regardless of Kafka do not count as storable', () => {
  const [, reasons = ''] = text('deploy/prometheus/recording.yml').match(/reason=~"([^"]+)"/) ?? [];
  const codes = Object.entries(EVENT_CODES).filter(([, { retry }]) => !retry);
  assert.deepEqual(
    reasons.split('|'),
    codes.map(([code]) => code).filter((code) => code !== 'rejected_by_kafka'),
  );
});

test('Prometheus scrapes the default admin port', () => {
  const { adminHost, adminPort } = readConfig({});
  const { scrape_configs: jobs } = parse(text('deploy/prometheus/prometheus.yml'));
  assert.equal(jobs.length, 1);
  assert.deepEqual(jobs[0].static_configs, [{ targets: [`${adminHost}:${adminPort}`] }]);
  const down = alerts.find(({ alert }) => alert === 'ForebayDown');
  assert(down?.expr.includes(`job="${jobs[0].job_name}"`), down?.expr);
});

/** Defects introduced into the tree one by one, and the findings of `make check-deploy`. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { composeDefects, THREE_BROKERS } from '../../deploy/check/compose-defects.ts';
import { COMPOSE_FILE, treeOf } from '../../deploy/check/compose-file.ts';
import { ROOT } from '../../deploy/kafka/jars.ts';
import { missingTool } from '../../testing/tools.ts';

const PROMETHEUS = 'deploy/compose/prometheus.yml';
const DATA_SOURCES = 'deploy/compose/datasources/prometheus.yml';
const HAPROXY = 'deploy/haproxy/haproxy.cfg';
const tree = treeOf(ROOT);
const { version } = JSON.parse(tree.read('package.json')) as { version: string };

/** Findings if this text of the file is replaced by another. */
function withDefect(path: string, text: string, other: string): string[] {
  const good = tree.read(path);
  assert.ok(good.includes(text), `${path} has no ${text}`);
  return composeDefects(treeOf(ROOT, { [path]: good.replaceAll(text, other) }));
}

test('the project has none', () => {
  assert.deepEqual(composeDefects(tree), []);
});

const DEFECTS: readonly [what: string, path: string, text: string, other: string, said: RegExp][] =
  [
    [
      'a misspelt setting',
      COMPOSE_FILE,
      'TRUSTED_PROXIES',
      'TRUSTED_PROXYS',
      /PROXYS is not a sett/,
    ],
    [
      'a name scraped',
      COMPOSE_FILE,
      'gateway-1,gateway-2',
      'gateway-1',
      /gateway-2: .*_HOSTS lacks/,
    ],
    ['a wrong value', COMPOSE_FILE, 'WORKERS:-1', 'WORKERS:-one', /FOREBAY_WORKERS must/],
    [
      'a missing folder',
      COMPOSE_FILE,
      './grafana/dashboards',
      './grafana/boards',
      /grafana\/boards does not exist/,
    ],
    ['a wrong port', COMPOSE_FILE, '127.0.0.1:9002:9001', '127.0.0.1:9002:9003', /publishes 9003/],
    [
      'an open port',
      COMPOSE_FILE,
      '127.0.0.1:3000:3000',
      '3000:3000',
      /3000 is published beyond loopback/,
    ],
    ['an old version', COMPOSE_FILE, `forebay:${version}`, 'forebay:0.0.1', /package\.json says/],
    ['a tag that moves', COMPOSE_FILE, 'haproxy:3.2.4', 'haproxy:latest', /is not pinned/],
    ['no such volume', COMPOSE_FILE, '  grafana-data:\n', '', /no volume grafana-data/],
    [
      'a volume too many',
      COMPOSE_FILE,
      'volumes:\n  k',
      'volumes:\n  old:\n  k',
      /volume old is not used/,
    ],
    [
      'no such service',
      COMPOSE_FILE,
      '      gateway-2: {',
      '      gateway-3: {',
      /is not a service/,
    ],
    ['a broker’s port', COMPOSE_FILE, ':-kafka:19092', ':-kafka:9099', /nothing listens at kafka/],
    ['a short notice', COMPOSE_FILE, 'PRESTOP_MS: 4000', 'PRESTOP_MS: 2000', /three checks/],
    ['a short stop', COMPOSE_FILE, 'TIMEOUT_MS: 25000', 'TIMEOUT_MS: 35000', /than a drain/],
    [
      'another proxy',
      COMPOSE_FILE,
      'ipv4_address: 172.30.90.10',
      'ipv4_address: 172.30.90.11',
      /tr/,
    ],
    ['privileges', COMPOSE_FILE, '  cap_drop: [ALL]\n', '', /keeps capabilities/],
    ['another server', COMPOSE_FILE, 'FOREBAY_SERVER_2', 'FOREBAY_SERVER_B', /does not read/],
    ['HAProxy’s port', COMPOSE_FILE, 'gateway-2:9000', 'gateway-2:9009', /at gateway-2:9009/],
    ['a wrong target', PROMETHEUS, 'gateway-2:9001', 'gateway-2:9000', /targets .*9000, not/],
    [
      'a missing target',
      PROMETHEUS,
      '          - gateway-2:9001\n',
      '',
      /targets gateway-1:9001, n/,
    ],
    ['a missing rule', PROMETHEUS, '  - ../prometheus/alerts.yml\n', '', /rules .*, not/],
    ['another job', PROMETHEUS, 'job_name: forebay', 'job_name: gateways', /job gateways/],
    ['no such source', DATA_SOURCES, 'http://prometheus', 'http://prom', /is not Prometheus/],
    ['an unknown variable', THREE_BROKERS, 'SINGLE_KAFKA', 'SINGLE_BROKER', /BROKER is not read/],
    ['an unknown profile', THREE_BROKERS, '=three-brokers', '=three', /no service has profile/],
    ['a broker too many', THREE_BROKERS, 'kafka-3:19092', 'kafka-4:19092', /kafka-4:19092 is not/],
  ];

for (const [what, path, text, other, said] of DEFECTS) {
  test(`found: ${what}`, () => {
    const found = withDefect(path, text, other);
    assert.ok(
      found.some((line) => said.test(line)),
      found.join('\n') || 'nothing was found',
    );
  });
}

test('found: a missing file', () => {
  for (const path of ['Dockerfile', HAPROXY]) {
    const found = composeDefects(treeOf(ROOT, { [path]: null }));
    assert.ok(
      found.some((line) => line.endsWith(`${path} does not exist`)),
      path,
    );
  }
});

test('found: HAProxy’s own defaults name no service, or it listens elsewhere', () => {
  const found = composeDefects(
    treeOf(ROOT, {
      Dockerfile: '',
      'deploy/haproxy': '',
      [HAPROXY]: `global
  presetenv FOREBAY_SERVER_1 gateway-1:9000
  presetenv FOREBAY_SERVER_2 gateway-9:9000
  presetenv FOREBAY_BIND :9090
frontend clients
  bind "\${FOREBAY_BIND}"
`,
    }),
  );
  assert.deepEqual(found, [
    'docker-compose.yml: haproxy: publishes 9000, where nothing listens',
    `${HAPROXY}: gateway-9:9000 is not a service`,
  ]);
});

test('the specification’s loader rejects an unknown key', {
  skip: missingTool('go'),
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'forebay-compose-'));
  try {
    const file = join(folder, COMPOSE_FILE);
    writeFileSync(file, tree.read(COMPOSE_FILE).replace('stop_grace_period', 'stop_grace'));
    const run = spawnSync('go', ['run', '.', file], {
      cwd: join(ROOT, 'deploy/check/compose'),
      encoding: 'utf8',
    });
    assert.notEqual(run.status, 0);
    assert.match(run.stderr, /stop_grace/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { EXIT } from '../../src/common/errors.ts';
import { readConfig } from '../../src/config/config.ts';
import { openStage, post } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';

const UNIT = 'deploy/systemd/forebay.service';
const text = readFileSync(UNIT, 'utf8');
const skip = missingTool('systemd-analyze');
/** Exposure from 0, fully confined, to 10. */
const EXPOSURE_MAX = 3.0;

function directiveOf(directive: string): string {
  const [, value] = text.match(new RegExp(`^${directive}=(.*)$`, 'm')) ?? [];
  assert(value !== undefined, `${directive} is in the unit`);
  return value;
}

/** Problems that systemd finds in a unit, on a machine with its dependencies. */
function verify(t: TestContext, unit: string): string {
  const root = mkdtempSync(join(tmpdir(), 'forebay-systemd-'));
  t.after(() => rmSync(root, { recursive: true }));
  const put = (path: string, content: string, mode = 0o644) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content, { mode });
  };
  for (const program of ['/usr/bin/node', '/bin/kill']) put(program, '', 0o755);
  for (const target of ['multi-user', 'network-online', 'sysinit', 'basic', 'shutdown']) {
    put(`/etc/systemd/system/${target}.target`, '[Unit]\nDefaultDependencies=no\n');
  }
  put('/etc/systemd/system/forebay.service', unit);
  const args = ['verify', `--root=${root}`, '--man=no', 'forebay.service'];
  const { stdout, stderr, status } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  const said = `${stdout}${stderr}`.trim();
  return status === 0 ? said : `exit code ${status}: ${said}`;
}

test('systemd accepts the unit', { skip }, (t) => {
  assert.equal(verify(t, text), '');
});

test('systemd finds a misspelled directive', { skip }, (t) => {
  assert.match(verify(t, text.replace('KillMode=', 'KilMode=')), /KilMode/);
});

test(`the exposure of its sandbox is at most ${EXPOSURE_MAX} of 10`, { skip }, () => {
  const args = ['security', '--offline=true', `--threshold=${EXPOSURE_MAX * 10}`, UNIT];
  const { stdout, status } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
  const [, exposure] = stdout.match(/exposure level for forebay\.service: ([\d.]+)/) ?? [];
  assert(Number(exposure) <= EXPOSURE_MAX, stdout);
  assert.equal(status, 0);
});

/** System calls of a set such as `@network-io`, from systemd. */
function callsOf(set: string): string[] {
  const { stdout } = spawnSync('systemd-analyze', ['--no-pager', 'syscall-filter', set], {
    encoding: 'utf8',
  });
  const names = stdout.split('\n').flatMap((line) => line.match(/^\s+(@?\w[\w-]*)$/)?.[1] ?? []);
  return names.flatMap((name) => (name.startsWith('@') ? callsOf(name) : name));
}

/**
 * System calls allowed by SystemCallFilter, in the order of its lines; systemd itself adds
 * `@default`.
 */
function allowedCalls(): string[] {
  const allowed = new Set(callsOf('@default'));
  for (const [, taken, sets] of text.matchAll(/^SystemCallFilter=(~?)(.*)$/gm)) {
    for (const call of sets!.split(' ').flatMap(callsOf)) {
      if (taken === '~') allowed.delete(call);
      else allowed.add(call);
    }
  }
  return [...allowed];
}

test('an instance serves, replaces its workers and stops with the allowed system calls', {
  skip: skip || missingTool('strace'),
}, async (t) => {
  assert.equal(directiveOf('SystemCallErrorNumber'), 'EPERM');
  const allowed = allowedCalls();
  assert(allowed.includes('sendto') && !allowed.includes('setuid'), 'systemd’s lists were read');
  // All others fail as with the kernel's filter. `?`: some exist only on other machines. -D:
  // signals reach the instance.
  const others = `!${allowed.map((call) => `?${call}`).join(',')}`;
  const refused = ['-e', `trace=${others}`, '-e', `inject=${others}:error=EPERM`];
  const wrapper = ['strace', '-D', '-f', '--seccomp-bpf', '-qq', ...refused, '-o', '/dev/null'];
  const nicer = [process.execPath, '-e', 'os.setPriority(5)'];
  const { stderr } = spawnSync(wrapper[0]!, [...wrapper.slice(1), ...nicer], { encoding: 'utf8' });
  assert.match(stderr, /setpriority.*EPERM|EPERM.*setpriority|operation not permitted/i);
  const stage = await openStage({ wrapper });
  const { gateway } = stage;
  t.after(() => gateway.kill());
  const event = '{"msg":"m","clientId":"c","timestamp":1}';
  assert.equal((await post(stage, event)).status, 200);
  gateway.signal('SIGHUP');
  await until(() => gateway.log.some(({ msg }) => msg === 'rolling restart completed'));
  assert.equal((await post(stage, event)).status, 200);
  assert.deepEqual(await gateway.stop(), { code: 0, signal: null });
  assert.deepEqual(gateway.errors, []);
  assert.equal((await stage.newRecords()).length, 2);
});

test('systemd waits longer for a stop than a drain takes', () => {
  const { prestopMs, drainTimeoutMs } = readConfig({});
  const waitsMs = Number(directiveOf('TimeoutStopSec')) * 1000;
  assert(waitsMs > prestopMs + drainTimeoutMs + 1_000, `${waitsMs} ms`);
});

test('only the primary gets SIGTERM, and invalid settings are not retried', () => {
  assert.equal(directiveOf('KillMode'), 'mixed');
  assert.equal(directiveOf('KillSignal'), 'SIGTERM');
  assert.equal(directiveOf('ExecReload'), '/bin/kill -HUP $MAINPID');
  assert.equal(Number(directiveOf('RestartPreventExitStatus')), EXIT.configuration);
});

test('the open-file limit suffices for the default connections of a worker', () => {
  const { maxConnections } = readConfig({});
  assert(Number(directiveOf('LimitNOFILE')) >= maxConnections / 0.9);
});

test('its page installs the tarball of this version', () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const page = readFileSync('docs/deploy-systemd.md', 'utf8');
  assert(page.includes(`tar -xzf forebay-${version}-linux-x64.tar.gz `), version);
});

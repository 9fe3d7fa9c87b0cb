/** The image built by `make image`, in containers: `make image-test`. Not in `make test`. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { freePorts } from '../../deploy/kafka/ports.ts';
import { bom } from '../../scripts/bom.ts';
import { productionPackages } from '../../scripts/packages.ts';
import { sharedKafka, uniqueTopic } from '../../testing/kafka.ts';
import { readTopic } from '../../testing/topic.ts';
import { until } from '../../testing/wait.ts';
import { type Settings, smokeTests } from '../support/shipped.ts';
import { architecture, Container, engine, engineOk, IMAGE, runOnce, VERSION } from './container.ts';

const containers: Container[] = [];
const folder = mkdtempSync(join(tmpdir(), 'forebay-image-'));
const network = `forebay-image-test-${process.pid}`;
after(() => {
  for (const container of containers) container.remove();
  engine(['network', 'rm', network]);
  rmSync(folder, { recursive: true });
});

function start(env: Readonly<Record<string, string>>, on: string, sees?: string): Container {
  const container = new Container({ FOREBAY_WORKERS: '1', ...env }, on, sees);
  containers.push(container);
  return container;
}

/** A container on this machine's network, on ports of its own, once it is ready. */
async function startReady({ brokers, topic, env = {}, folder: sees }: Partial<Settings>) {
  const [port, adminPort] = (await freePorts(2)) as [number, number];
  const settings = {
    FOREBAY_PORT: String(port),
    FOREBAY_ADMIN_PORT: String(adminPort),
    KAFKA_BROKERS: brokers?.join(',') ?? '',
    KAFKA_TOPIC: topic ?? '',
    ...env,
  };
  const gateway = start(settings, 'host', sees);
  const ready = () => gateway.exec('node', 'dist/main.js', 'health', '--ready').code === 0;
  await until(ready, { deadlineMs: 60_000, what: () => `ready:\n${gateway.logs()}` });
  return { gateway, port, adminPort, ready };
}

/** Output of a piece of JavaScript in a container of its own, parsed as JSON. */
function once<T>(script: string): T {
  const { stdout, stderr } = runOnce(
    ['-p', `JSON.stringify(${script})`],
    ['--network', 'none', '--entrypoint', 'node'],
  );
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
}

/** Names and versions of the packages inside, as `ws@8.23.0`. */
function packagesInside(): string[] {
  const lock = once<{ packages: Record<string, { name?: string; version: string }> }>(
    "JSON.parse(require('fs').readFileSync('/app/node_modules/.package-lock.json', 'utf8'))",
  );
  return Object.entries(lock.packages).map(([path, { name, version }]) => {
    return `${name ?? path.replace(/^.*node_modules\//, '')}@${version}`;
  });
}

test('the image has its labels, runs as an unprivileged user, and has a health check', () => {
  const [image] = JSON.parse(engineOk(['image', 'inspect', IMAGE]));
  const { Config } = image;
  const labels = Config.Labels as Record<string, string>;
  const label = (name: string) => labels[`org.opencontainers.image.${name}`];
  assert.deepEqual(
    [label('title'), label('version'), label('licenses')],
    ['forebay', VERSION, 'MIT'],
  );
  const head = execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim();
  assert.equal(label('revision')?.replace(/-dirty$/, ''), head);
  assert.match(label('created') ?? '', /^\d{4}-\d\d-\d\dT/);
  assert.equal(Config.User, '1000:1000');
  assert.deepEqual(Config.Entrypoint, ['node', 'dist/main.js']);
  assert.deepEqual(Object.keys(Config.ExposedPorts).sort(), ['9000/tcp', '9001/tcp']);
  const check = Config.Healthcheck ?? image.Healthcheck;
  assert.deepEqual(check.Test, ['CMD', 'node', 'dist/main.js', 'health']);
});

test('it contains only the production packages of this platform, and the build', () => {
  const found = once<string[]>(
    "[...require('fs').readdirSync('/app'), ...require('fs').readdirSync('/usr/local/bin')]",
  );
  const files = ['LICENSE', 'dist', 'node_modules', 'package-lock.json', 'package.json'];
  assert.deepEqual(found.slice(0, files.length).sort(), files);
  assert(!found.includes('npm') && !found.includes('npx'), 'nothing can be installed with it');
  const inside = packagesInside();
  const all = productionPackages().map(({ name, version }) => `${name}@${version}`);
  assert(inside.length > 30, `${inside.length} packages are inside`);
  // The lock file has no uWebSockets.js for other platforms.
  const isTried = (ref: string) => architecture() !== 'amd64' && ref.startsWith('@uwsjs/');
  const others = inside.filter((ref) => !all.includes(ref) && !isTried(ref));
  assert.deepEqual(others, []);
  const everywhere = productionPackages().filter(({ platform }) => platform === undefined);
  const missing = everywhere.filter(({ name, version }) => !inside.includes(`${name}@${version}`));
  assert.deepEqual(missing, []);
});

test('settings come from an env file', () => {
  const file = join(folder, 'env');
  writeFileSync(file, 'FOREBAY_PORT=9123\nKAFKA_TOPIC=of-the-file\n');
  const { code, stdout } = runOnce(['config'], ['--network', 'none', '--env-file', file]);
  assert.equal(code, 0);
  assert.match(stdout, /^FOREBAY_PORT=9123$/m);
  assert.match(stdout, /^KAFKA_TOPIC=of-the-file$/m);
  assert.match(stdout, /^FOREBAY_ADMIN_HOST=0\.0\.0\.0$/m);
});

async function eventTest(setting: 'auto' | 'node'): Promise<void> {
  const { brokers } = await sharedKafka();
  const topic = uniqueTopic();
  const { gateway, port, adminPort, ready } = await startReady({
    brokers,
    topic,
    env: { FOREBAY_TRANSPORT: setting },
  });
  const readyz = await (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).json();
  const hasUws = packagesInside().some((ref) => ref.startsWith('@uwsjs/'));
  assert(hasUws || architecture() !== 'amd64');
  const transport = setting === 'auto' && hasUws ? 'uws' : 'node';
  assert.equal((readyz as { transport: string }).transport, transport);
  const health = () => gateway.exec('node', 'dist/main.js', 'health');
  assert.equal(health().code, 0);
  assert.equal(gateway.inside('process.getuid()'), 1000);
  const writing = gateway.exec('node', '-e', "require('fs').writeFileSync('/app/x', '')");
  assert.match(writing.stderr, /EROFS|EACCES/);
  assert.equal(gateway.inspect('{{.HostConfig.ReadonlyRootfs}}'), 'true');

  const send = async (msg: string) => {
    const body = JSON.stringify({ msg, clientId: 'image', timestamp: 1 });
    const headers = { 'content-type': 'application/json' };
    const url = `http://127.0.0.1:${port}/events`;
    const response = await fetch(url, { method: 'POST', body, headers });
    assert.equal(((await response.json()) as { accepted: number }).accepted, 1);
    return body;
  };
  const bodies = [await send('before')];
  await killWorker(gateway);
  await until(ready, { deadlineMs: 60_000, what: () => `ready:\n${gateway.logs()}` });
  bodies.push(await send('after'));

  assert.equal(gateway.stop(), 0, gateway.logs());
  assert.match(gateway.logs(), /"msg":"drain ended"/);
  const stored = (await readTopic({ brokers, topic })).map(({ value }) => String(value));
  assert.deepEqual(stored.sort(), bodies.sort());
  const settings = ['--network', 'host', '--env', `FOREBAY_ADMIN_PORT=${adminPort}`];
  const dead = runOnce(['health'], settings);
  assert.deepEqual([dead.code, dead.stdout], [1, '']);
}

for (const setting of ['auto', 'node'] as const) {
  const title =
    'an event is acknowledged and in Kafka; a stop drains, exit code 0; no process is left';
  test(`FOREBAY_TRANSPORT=${setting}: ${title}`, () => eventTest(setting));
}

/** Processes of the container from `/proc`: id, state and parent. */
const PROCESSES = `require('fs').readdirSync('/proc').filter((name) => Number(name) > 0).map((pid) => {
  try { return require('fs').readFileSync('/proc/' + pid + '/stat', 'utf8').split(' ') } catch {}
}).filter(Boolean).map(([pid, , state, parent]) => ({ pid: +pid, state, parent: +parent }))`;

interface Process {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
}

/** Kills the only worker, and waits until it is reaped: the gateway is process 1. */
async function killWorker(gateway: Container): Promise<void> {
  const [worker] = gateway.inside<Process[]>(PROCESSES).filter(({ parent }) => parent === 1);
  assert(worker !== undefined, 'process 1 has a child');
  gateway.exec('node', '-e', `process.kill(${worker.pid}, 'SIGKILL')`);
  const replaced = () => {
    const all = gateway.inside<Process[]>(PROCESSES);
    const others = all.filter(({ pid, parent }) => parent === 1 && pid !== worker.pid);
    return others.length === 1 && !all.some(({ pid }) => pid === worker.pid);
  };
  await until(replaced, { what: 'a worker that is reaped and replaced' });
  const zombies = gateway.inside<Process[]>(PROCESSES).filter(({ state }) => state === 'Z');
  assert.deepEqual(zombies, []);
}

test('within a network the admin port responds to another address', async () => {
  engineOk(['network', 'create', network]);
  const gateway = start({ KAFKA_BROKERS: '127.0.0.1:1' }, network);
  const address = gateway.inspect('{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}');
  const alive = await until(async () => (await fetch(`http://${address}:9001/livez`)).json(), {
    deadlineMs: 60_000,
    what: () => `/livez:\n${gateway.logs()}`,
  });
  assert.deepEqual(alive, { alive: true });
  const ready = gateway.exec('node', 'dist/main.js', 'health', '--ready');
  assert.equal(ready.code, 1);
  assert.match(ready.stderr, /503 /);
  assert.equal(gateway.stop(), 0, gateway.logs());
});

smokeTests(async (settings) => {
  const { gateway, port } = await startReady(settings);
  return { port, stop: async () => gateway.stop() };
});

test('its size', (t) => {
  const [image] = JSON.parse(engineOk(['image', 'inspect', IMAGE]));
  const file = join(folder, 'image.tar');
  engineOk(['save', '--output', file, IMAGE]);
  const packed = spawnSync('sh', ['-c', 'gzip -c "$0" | wc -c', file], { encoding: 'utf8' }).stdout;
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(0)} MB`;
  const stand = image.Config.Labels['forebay.base'] === 'stand-in' ? ', on a stand-in base' : '';
  t.diagnostic(
    `${IMAGE}, ${architecture()}: ${mb(image.Size)}, ${mb(Number(packed))} compressed${stand}`,
  );
  t.diagnostic(`bill of materials: ${bom().components.length} components`);
  assert(Number(packed) > 1e6, packed);
});

import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { chooseGateway, recordGateway, shellLines } from '../../deploy/kafka/gateways.ts';
import { readConfig } from '../../src/config/config.ts';

const folder = join(mkdtempSync(join(tmpdir(), 'forebay-gateways-')), 'gateways');
const processes: ChildProcess[] = [];
const OURS = ['127.0.0.1:9092'];

afterEach(async () => {
  await Promise.all(processes.splice(0).map(end));
  rmSync(folder, { recursive: true, force: true });
});
after(() => rmSync(join(folder, '..'), { recursive: true, force: true }));

async function end(process: ChildProcess): Promise<void> {
  if (process.exitCode !== null || process.signalCode !== null) return;
  const exit = once(process, 'exit');
  process.kill('SIGKILL');
  await exit;
}

/** A process with the record of a gateway that has these settings. */
function record(env: Readonly<Record<string, string>>): ChildProcess {
  const process = spawn('sleep', ['600']);
  processes.push(process);
  recordGateway(folder, process.pid!, env);
  return process;
}

const choose = (env: Readonly<Record<string, string>> = {}, running?: readonly string[]) =>
  chooseGateway(folder, env, running);

test('topic and brokers of the running gateway, and its Kafka settings', () => {
  const tls = { KAFKA_TLS: '1', KAFKA_TLS_CA_FILE: 'ca.pem', FOREBAY_ID_FIELD: 'uid' };
  const settings = { KAFKA_BROKERS: 'k:9093', KAFKA_TOPIC: 'foo', ...tls };
  record({ ...settings, FOREBAY_WORKERS: '2', HOME: '/root' });
  assert.deepEqual(choose({}, OURS), {
    settings,
    notes: ['the gateway on port 9000 writes to foo at k:9093'],
  });
});

test('the log of the running forebay micro, unless brokers are set', () => {
  const process = spawn('sleep', ['600']);
  processes.push(process);
  const settings = { FOREBAY_PORT: '9100', FOREBAY_ADMIN_PORT: '9101', KAFKA_TOPIC: 'foo' };
  recordGateway(folder, process.pid!, settings, true);
  const choice = choose({}, OURS);
  const micro = 'http://127.0.0.1:9101';
  const note = `forebay micro on port 9100 has its events in a log at ${micro}, not in Kafka`;
  assert.deepEqual(choice, { settings: {}, notes: [note], micro });
  assert.equal(shellLines(choice), `set -- --micro '${micro}'\n`);
  assert.equal(choose({ KAFKA_BROKERS: '127.0.0.1:9092' }).micro, undefined);
  assert.equal(choose({ FOREBAY_PORT: '9000' }).micro, undefined);
  record({ KAFKA_BROKERS: 'k:1', KAFKA_TOPIC: 'bar' });
  const place = `the log of forebay micro at ${micro}`;
  assert.deepEqual(
    choose().notes.at(-1),
    `another gateway writes to ${place}: FOREBAY_PORT=9100 make listen`,
  );
});

test('settings of this shell take precedence', () => {
  record({ KAFKA_BROKERS: 'k:1,k:2', KAFKA_TOPIC: 'foo', KAFKA_CLIENT_ID: 'a' });
  assert.deepEqual(choose({ KAFKA_TOPIC: 'bar' }), {
    settings: { KAFKA_BROKERS: 'k:1,k:2', KAFKA_CLIENT_ID: 'a' },
    notes: ['the gateway on port 9000 writes to foo at k:1,k:2; chosen topic: bar'],
  });
  for (const brokers of ['k:2, k:1', 'K:2', 'k:1,k:3']) {
    const { settings } = choose({ KAFKA_BROKERS: brokers, KAFKA_TOPIC: '' });
    assert.deepEqual(settings, { KAFKA_TOPIC: 'foo', KAFKA_CLIENT_ID: 'a' }, brokers);
  }
  assert.deepEqual(choose({ KAFKA_BROKERS: 'other:1' }), { settings: {}, notes: [] });
  assert.deepEqual(choose({ KAFKA_BROKERS: 'other:1', FOREBAY_PORT: '9000' }).notes, [
    'no gateway of make run has KAFKA_BROKERS=other:1 and FOREBAY_PORT=9000 (port 9000 writes to ' +
      'foo at k:1,k:2): reading the default topic event_topic_newer',
  ]);
});

test('a gateway with a stream file: its streams, and not KAFKA_TOPIC', async () => {
  const streams = { FOREBAY_STREAMS_FILE: 's.yaml', FOREBAY_KEY_FIELD: 'user' };
  const gateway = record({ ...streams, KAFKA_BROKERS: 'k:1', KAFKA_TOPIC: 'unused' });
  assert.deepEqual(choose(), {
    settings: { ...streams, KAFKA_BROKERS: 'k:1' },
    notes: ['the gateway on port 9000 writes to the topics of s.yaml at k:1'],
  });
  const { settings } = choose({ KAFKA_TOPIC: 'told' });
  assert.deepEqual(settings, { KAFKA_BROKERS: 'k:1', FOREBAY_KEY_FIELD: 'user' });
  await end(gateway);
  assert.deepEqual(choose({ KAFKA_BROKERS: 'k:1' }).notes, [
    'the gateway that wrote to the topics of s.yaml at k:1 has ended ' +
      '(FOREBAY_STREAMS_FILE=s.yaml make listen): reading the default topic event_topic_newer',
  ]);
  assert.deepEqual(choose({ KAFKA_BROKERS: 'k:1', ...streams }).notes, []);
});

test('a stream file of this shell: topic and schema of a gateway without one are not inherited', async () => {
  const ofOne = { KAFKA_TOPIC: 'foo', FOREBAY_EVENT_SCHEMA: 'e.json' };
  const gateway = record({ KAFKA_BROKERS: 'k:1', ...ofOne });
  const { settings } = choose({ FOREBAY_STREAMS_FILE: 's.yaml' });
  assert.deepEqual(settings, { KAFKA_BROKERS: 'k:1' });
  assert.deepEqual(choose().settings, { KAFKA_BROKERS: 'k:1', ...ofOne });
  await end(gateway);
  record({ KAFKA_BROKERS: 'k:1', FOREBAY_STREAMS_FILE: 's.yaml' });
  assert.deepEqual(choose({ FOREBAY_EVENT_SCHEMA: 'e.json' }).settings, { KAFKA_BROKERS: 'k:1' });
});

test('the names of loopback are equal', () => {
  record({ KAFKA_BROKERS: '127.0.0.1:9092', KAFKA_TOPIC: 'foo' });
  for (const brokers of ['localhost:9092', '[::1]:9092', 'LOCALHOST:9092']) {
    assert.equal(choose({ KAFKA_BROKERS: brokers }).settings.KAFKA_TOPIC, 'foo', brokers);
  }
});

test('of several gateways the one started last, and how to choose another', async () => {
  record({ KAFKA_BROKERS: 'k:1', KAFKA_TOPIC: 'old', FOREBAY_PORT: '9100' });
  await new Promise((resolve) => setTimeout(resolve, 2));
  const last = record({ KAFKA_BROKERS: 'k:1', FOREBAY_PORT: '9200', KAFKA_TOPIC: 'new' });
  const topicOf = (env = {}) => choose(env, OURS).settings.KAFKA_TOPIC;
  assert.equal(topicOf(), 'new');
  assert.deepEqual(choose().notes, [
    'the gateway on port 9200 writes to new at k:1',
    'another gateway writes to old at k:1: FOREBAY_PORT=9100 make listen',
  ]);
  assert.equal(topicOf({ FOREBAY_PORT: '9100' }), 'old');
  assert.equal(topicOf({ FOREBAY_PORT: '9300' }), undefined);
  assert.match(
    choose({ FOREBAY_PORT: '9300' }).notes[0]!,
    /^no gateway .* has FOREBAY_PORT=9300 \(/,
  );
  await end(last);
  assert.equal(topicOf(), 'old');
});

test('an exited gateway: the default topic at the running Kafka, and why', async () => {
  const ended = record({ KAFKA_BROKERS: '127.0.0.1:9092', KAFKA_TOPIC: 'foo' });
  await end(ended);
  assert.deepEqual(choose({}, OURS), {
    settings: { KAFKA_BROKERS: '127.0.0.1:9092' },
    notes: [
      'the gateway that wrote to foo at 127.0.0.1:9092 has ended (KAFKA_TOPIC=foo make listen): ' +
        'reading the default topic event_topic_newer',
    ],
  });
  assert.deepEqual(choose({ KAFKA_TOPIC: 'bar' }, OURS).notes, []);
  assert.deepEqual(choose({ KAFKA_TOPIC: 'bar' }).settings, {}, 'no Kafka runs here');
  const running = record({});
  assert.deepEqual(readdirSync(folder), [`${running.pid}.json`], 'the next one removes its record');
});

test('a process with the reused id of an exited gateway is not a gateway', () => {
  const { pid } = record({ KAFKA_TOPIC: 'foo' });
  const file = join(folder, `${pid}.json`);
  const stale = { ...JSON.parse(readFileSync(file, 'utf8')), processStart: '1' };
  writeFileSync(file, JSON.stringify(stale));
  assert.deepEqual(choose({}, OURS).settings, { KAFKA_BROKERS: OURS[0] });
});

test('invalid record files are ignored', () => {
  record({ KAFKA_TOPIC: 'foo' });
  for (const [index, text] of ['', '{', 'null', '[]', '{"pid":1}'].entries()) {
    writeFileSync(join(folder, `${index}.json`), text);
  }
  assert.equal(choose().settings.KAFKA_TOPIC, 'foo');
});

test('no secret is recorded; a missing one is named', () => {
  const { pid } = record({ KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_PASSWORD: 'hush' });
  assert.doesNotMatch(readFileSync(join(folder, `${pid}.json`), 'utf8'), /hush/);
  const note = 'KAFKA_SASL_PASSWORD of that gateway is not recorded: set it here as well';
  assert(choose().notes.includes(note));
  assert(!choose({ KAFKA_SASL_PASSWORD: 'hush' }).notes.includes(note));
  assert(!choose({ KAFKA_SASL_PASSWORD_FILE: 'f' }).notes.includes(note));
});

test('settings that exclude one of this shell are not inherited', () => {
  const sasl = { KAFKA_SASL_MECHANISM: 'plain', KAFKA_SASL_USERNAME: 'me' };
  const tls = { KAFKA_TLS: '1', KAFKA_TLS_CA_FILE: 'ca.pem' };
  record({ ...sasl, ...tls, KAFKA_SASL_PASSWORD_FILE: 'their' });
  const inherited = (env: Readonly<Record<string, string>>) => choose(env).settings;
  const all = { ...sasl, ...tls, KAFKA_SASL_PASSWORD_FILE: 'their' };
  assert.deepEqual(inherited({}), all);
  assert.deepEqual(inherited({ KAFKA_SASL_PASSWORD: 'hush' }), { ...sasl, ...tls });
  assert.deepEqual(inherited({ KAFKA_SASL_PASSWORD: '' }), all, 'an empty variable is unset');
  assert.deepEqual(inherited({ KAFKA_SASL_PASSWORD_FILE: 'mine' }), { ...sasl, ...tls });
  const { KAFKA_TLS: _, ...others } = all;
  assert.deepEqual(inherited({ KAFKA_TLS: 'true' }), others);
  for (const off of ['0', 'false']) {
    const kept = { ...sasl, KAFKA_SASL_PASSWORD_FILE: 'their' };
    assert.deepEqual(inherited({ KAFKA_TLS: off }), kept, off);
  }
  // The settings together are accepted by listen.
  for (const env of [{ KAFKA_SASL_PASSWORD: 'hush' }, { KAFKA_TLS: '0' }]) {
    readConfig({ ...env, ...inherited(env) });
  }
});

test('values of any kind are quoted correctly for a shell', () => {
  const value = `a'b "c" $HOME \`id\` \\ \n;d`;
  const lines = shellLines({ settings: { KAFKA_TOPIC: value }, notes: [] });
  const shown = execFileSync('sh', ['-c', `eval "$1"; printf %s "$KAFKA_TOPIC"`, 'sh', lines]);
  assert.equal(shown.toString(), value);
});

/** The page at work: a real browser, a real gateway, and what `listen --verify` says of it all. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../support/gateway.ts';
import { sharedKafka, uniqueTopic } from '../support/kafka.ts';
import { missingTool } from '../support/tools.ts';
import { readTopic } from '../support/topic.ts';
import { until } from '../support/wait.ts';
import { TestPage } from './browser.ts';
import { CutProxy } from './cut-proxy.ts';

const skip = missingTool('chromium');
const topic = uniqueTopic('page');
/** An event is on its way for long enough to be caught there. */
const env = { KAFKA_LINGER_MS: '500' };
let gateway: Gateway;
let brokers: readonly string[];
let proxy: CutProxy;
let shown: TestPage;
/** Events that Kafka has twice: their first ack was lost. */
const repeats = new Set<string>();

before(async () => {
  if (skip) return;
  ({ brokers } = await sharedKafka());
  gateway = await startGateway({ brokers, topic, env });
  proxy = await new CutProxy(gateway.port).listen();
  shown = await TestPage.open();
});
after(async () => {
  await shown?.close();
  proxy?.close();
  await gateway?.kill();
});

async function storedIds(): Promise<string[]> {
  const records = await readTopic({ brokers, topic });
  return records.map(({ value }) => JSON.parse(String(value)).id as string);
}

/** Waits until an event is on its way. @returns its id */
async function onItsWay(): Promise<string> {
  const [row] = await until(async () => {
    const rows = await shown.rows('sent');
    return rows.length > 0 ? rows : undefined;
  });
  return row!.id;
}

/** Waits until this event is acknowledged. @returns what the page says of it */
async function acked(id: string): Promise<string> {
  const what = async () => (await shown.rows('acked')).find((row) => row.id === id)?.outcome;
  return until(what, { deadlineMs: 20_000, what: `the ack of ${id}` });
}

test('logs an event per second as acked, and Kafka has each once', { skip }, async () => {
  const response = await shown.page.goto(`${proxy.url}/`);
  assert.match(response?.headers()['content-security-policy'] ?? '', /default-src 'none'/);
  await until(async () => (await shown.count('acked')) >= 3);
  assert.equal(await shown.state(), 'connected');
  assert.equal(await shown.count('refused'), 0);
  const [newest] = await shown.page.$$eval('#log li', (all) => all.map((row) => row.textContent));
  assert.match(newest ?? '', /"msg":"event \d+","clientId":"page-[0-9a-f]{12}","timestamp":\d+,/);
  const rows = await shown.rows('acked');
  for (const { outcome } of rows) assert.match(outcome, /^acked after \d+ ms$/);
  const inKafka = await storedIds();
  for (const { id } of rows) assert.equal(inKafka.filter((other) => other === id).length, 1, id);
  const { frames, bytes } = await shown.credit();
  assert(frames > 0 && frames <= 64 && bytes > 0 && bytes <= 262_144);
});

test('pause stops the events, resume lets them go on', { skip }, async () => {
  await shown.page.click('text=Pause');
  await until(async () => (await shown.count('open')) === 0);
  const sent = await shown.count('sent');
  await shown.page.waitForTimeout(2_500);
  assert.equal(await shown.count('sent'), sent);
  await shown.page.click('text=Resume');
  await until(async () => (await shown.count('sent')) > sent);
});

test('a worker is killed: what had no ack is sent again, acked and stored', { skip }, async () => {
  for (const worker of gateway.workers()) process.kill(worker, 'SIGSTOP');
  const id = await onItsWay();
  for (const worker of gateway.workers()) process.kill(worker, 'SIGKILL');
  const lost = /^connection lost \(1006\), next try in \d+ ms; without an ack, .* again: [12]$/m;
  await until(async () => lost.test((await shown.history()).join('\n')));
  assert.match(await acked(id), /^acked after \d+ ms \(attempt \d\)$/);
  assert.equal((await storedIds()).filter((other) => other === id).length, 1);
});

test('an ack is lost: the event is stored twice, and the second ack is shown', {
  skip,
}, async () => {
  await until(async () => (await shown.count('open')) === 0);
  proxy.loseAnswers();
  const id = await onItsWay();
  await until(async () => (await storedIds()).includes(id));
  await shown.page.click('text=Pause');
  const open = (await shown.rows('sent')).map((row) => row.id);
  await until(async () => {
    const inKafka = new Set(await storedIds());
    return open.every((other) => inKafka.has(other));
  });
  proxy.cut();
  for (const other of open) {
    assert.match(await acked(other), /^acked after \d+ ms \(attempt 2\)$/);
    repeats.add(other);
  }
  assert(repeats.has(id));
  await shown.page.click('text=Resume');
});

test('the gateway drains and starts again: goaway is shown, and no event is lost', {
  skip,
}, async () => {
  await onItsWay();
  assert.equal((await gateway.stop()).code, 0);
  await until(async () => (await shown.page.getAttribute('#state', 'data-state')) === 'lost');
  const history = (await shown.history()).join('\n');
  assert.match(history, /goaway \(restart\): no more is sent, reconnect in \d+ ms/);
  assert.match(history, /connection lost \(1012 restart\), next try in \d+ ms$/m, 'all is settled');
  await until(async () => (await shown.rows('waiting')).length >= 2);
  const ports = [gateway.port, gateway.adminPort] as const;
  gateway = await startGateway({ brokers, topic, env, ports });
  await until(async () => (await shown.state()) === 'connected', { deadlineMs: 30_000 });
  const before = await shown.count('acked');
  await until(async () => (await shown.count('acked')) > before + 1);
});

test('in the end listen --verify finds those that were stored twice, and none is missing', {
  skip,
}, async () => {
  await shown.page.click('text=Pause');
  await until(async () => (await shown.count('open')) === 0);
  assert((await shown.count('again')) >= 2);
  const ids = (await shown.rows('acked')).map((row) => row.id);
  assert.equal(ids.length, await shown.count('acked'));
  // A worker that has just begun may refuse for a while, not for good.
  assert.equal(ids.length, await shown.count('sent'));
  const records = ids.length + repeats.size;
  const { code, out, err } = await listen(['--from', 'beginning', '--count', String(records)]);
  const told = [...err.matchAll(/^forebay: repeat of "([^"]+)" at partition \d+ offset \d+$/gm)];
  assert.deepEqual(new Set(told.map(([, id]) => id)), repeats);
  assert.equal(told.length, repeats.size);
  const distinct = `${records} events, ${ids.length} distinct ids, ${repeats.size} repeats?, 0 `;
  assert.match(err, new RegExp(`^forebay: ${distinct}`, 'm'));
  assert.equal(code, 1);
  const seen = new Set(out.map((line) => JSON.parse(JSON.parse(line).value).id as string));
  assert.deepEqual(seen, new Set(ids));
});

/** Runs `listen --verify --json` to its end. */
async function listen(args: string[]): Promise<{ code: number; out: string[]; err: string }> {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'src/main.ts', 'listen', '--verify', '--json', ...args],
    { env: { ...process.env, KAFKA_BROKERS: brokers.join(','), KAFKA_TOPIC: topic } },
  );
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => {
    out += data;
  });
  child.stderr.on('data', (data) => {
    err += data;
  });
  const code = await new Promise<number>((done) => {
    child.once('close', (exit) => done(exit ?? 1));
  });
  return { code, out: out.split('\n').slice(0, -1), err };
}

test('a narrow screen needs no scrolling sideways, light or dark', { skip }, async () => {
  await shown.page.setViewportSize({ width: 320, height: 600 });
  for (const colorScheme of ['light', 'dark'] as const) {
    await shown.page.emulateMedia({ colorScheme });
    const wide = await shown.page.evaluate(() => document.documentElement.scrollWidth);
    assert(wide <= 320, `${wide} pixels wide`);
  }
});

test('the browser had nothing to complain of', { skip }, () => {
  assert.deepEqual(shown.complaints, []);
});

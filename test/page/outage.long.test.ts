/** The page during an outage of a real Kafka of its own. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type KafkaCluster, startCluster } from '../../deploy/kafka/cluster.ts';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { uniqueTopic } from '../../testing/kafka.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { TestPage } from './browser.ts';

const skip = missingTool('chromium');
const topic = uniqueTopic('page-outage');
let kafka: KafkaCluster;
let gateway: Gateway;
let shown: TestPage;

before(async () => {
  if (skip) return;
  kafka = await startCluster();
  gateway = await startGateway({ brokers: kafka.brokers, topic });
  shown = await TestPage.open();
  await shown.page.goto(`http://127.0.0.1:${gateway.port}/`);
});
after(async () => {
  await shown?.close();
  await gateway?.kill();
  await kafka?.close();
});

const untilTold = (pattern: RegExp) =>
  until(async () => pattern.test(await shown.text('#trouble')), {
    what: String(pattern),
  });

test('an outage of Kafka is shown; afterwards the message is gone and all is stored', {
  skip,
}, async () => {
  await until(async () => (await shown.count('stored')) > 1);
  assert.equal(await shown.page.isVisible('#trouble'), false);
  await kafka.kill(0);
  await untilTold(/^Kafka is unavailable, nothing was stored since .* Events wait for it\.$/);
  assert.equal(await shown.state(), 'connected');
  const waiting = (await shown.rows('sent')).length;
  assert(waiting > 0, 'events have left the page');
  await kafka.restart(0);
  await untilTold(/^$/);
  await shown.page.click('text=Pause');
  await shown.quiet();
  assert.equal(await shown.count('stored'), await shown.count('sent'));
  assert((await shown.history()).includes('ready again'));
});

test('an outage while nothing is sent: page and live view show it, with the reason of the log', {
  skip,
}, async () => {
  const operator = await TestPage.open();
  try {
    await operator.page.goto(gateway.adminUrl);
    await until(async () => /^Ready; no events/.test(await operator.text('#summary')));
    const lines = (message: string) => gateway.log.filter(({ msg }) => msg === message);
    const before = lines('Kafka outage began').length;
    await kafka.kill(0);
    await untilTold(/^Kafka is unavailable, nothing was stored since .*: .* Events wait for it\.$/);
    await until(async () => /^Kafka outage: no event/.test(await operator.text('#summary')));
    const begun = lines('Kafka outage began');
    assert.equal(begun.length, before + 1);
    const { effect, reason } = begun.at(-1)!;
    assert.equal(await operator.text('#summary'), `Kafka outage: ${effect} (${reason})`);
    assert.equal(await operator.page.getAttribute('#runbook', 'href'), 'runbook#outages');
    assert.equal(await shown.count('unacknowledged'), 0, 'the page has sent nothing');
    const ended = lines('Kafka outage ended').length;
    await kafka.restart(0);
    await untilTold(/^$/);
    await until(async () => /^Ready; no events/.test(await operator.text('#summary')));
    assert.equal(lines('Kafka outage ended').length, ended + 1);
    assert.deepEqual(operator.complaints, []);
  } finally {
    await operator.close();
  }
});

test('a gateway that never reached Kafka shows why, and events are stored once it does', {
  skip,
}, async () => {
  await gateway.kill();
  await kafka.kill(0);
  const { port, adminPort } = gateway;
  const ports = [port, adminPort] as const;
  gateway = await startGateway({ brokers: kafka.brokers, topic, ports, ready: false });
  const isLoaded = async () => (await shown.page.reload().catch(() => undefined))?.ok();
  await until(isLoaded, { what: 'the page' });
  await untilTold(/^(The gateway is not ready|Kafka is unavailable).*: .+/);
  await kafka.restart(0);
  await untilTold(/^$/);
  await until(async () => (await shown.count('stored')) > 1);
  await shown.page.click('text=Pause');
  await shown.quiet();
  const ids = (await shown.rows('stored')).map(({ id }) => Number(id.split('-').at(-1)));
  assert.deepEqual(
    [...ids].sort((a, b) => a - b),
    ids.map((_, index) => index + 1),
  );
  assert.equal(await shown.count('refused'), 0);
});

test('the browser reported no error', { skip }, () => {
  assert.deepEqual(shown.complaints, []);
});

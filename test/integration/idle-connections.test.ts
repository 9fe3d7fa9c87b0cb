/** A large number of idle connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFilesMax } from '../../src/config/fd-limits.ts';
import { CrowdProcess, HANDSHAKE } from '../../testing/crowd-process.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { freshMetrics, openStage } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';

const COUNT = 10_000;
/** Further files of a process: a worker reserves a tenth of its files. */
const FILES = 1.2 * COUNT;
const skip = openFilesMax() < FILES && `needs ${FILES} open files, ${openFilesMax()} are allowed`;

test('10,000 idle connections: another client is served, and then they close', {
  skip,
}, async (t) => {
  const { gateway } = await openStage();
  t.after(() => gateway.kill());
  const good = await GoodClient.start(gateway.wsUrl);
  await good.serve(50);
  const crowd = new CrowdProcess();
  t.after(() => crowd.end());
  await crowd.open({ port: gateway.port, count: COUNT, text: HANDSHAKE });
  assert.deepEqual(await crowd.status(), { open: COUNT, upgraded: COUNT });
  t.diagnostic(`while they came: ${(await good.stop()).summary}`);

  const bystander = await GoodClient.start(gateway.wsUrl);
  await bystander.serve(100);
  const metrics = await freshMetrics(gateway);
  assert.equal(metrics.value('forebay_connections', { transport: 'ws' }), COUNT + 1);
  t.diagnostic(`with idle connections: ${(await bystander.stop()).summary}`);

  const after = await GoodClient.start(gateway.wsUrl);
  crowd.end();
  await after.serve(50);
  const open = async () =>
    (await freshMetrics(gateway)).value('forebay_connections', { transport: 'ws' });
  await until(async () => (await open()) === 1, { what: 'the end of all the others' });
  t.diagnostic(`while they go: ${(await after.stop()).summary}`);
  assert.equal((await gateway.stop()).code, 0);
});

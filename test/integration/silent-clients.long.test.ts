/** Clients that send nothing or too little: they are closed, without effect on others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AcknowledgedClient } from '../../testing/client.ts';
import { CrowdProcess, HANDSHAKE } from '../../testing/crowd-process.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { useStage } from '../support/use-stage.ts';

/** The minimum setting. */
const IDLE_MS = 8_000;
/** Number of clients of each kind. */
const COUNT = 100;

const stage = useStage({ env: { FOREBAY_IDLE_TIMEOUT_MS: String(IDLE_MS) } });

const DRIP = { text: 'a: b\r\n', everyMs: 500 };
const HEAD = 'GET /livez HTTP/1.1\r\nHost: a\r\n';

test('connections without a request are closed after 10 s, WebSockets that do not pong as idle', async (t) => {
  const { gateway } = stage;
  const { port } = gateway;
  const good = await GoodClient.start(gateway.wsUrl);
  const [early, late, frozen] = [new CrowdProcess(), new CrowdProcess(), new CrowdProcess()];
  t.after(() => {
    for (const crowd of [early, late, frozen]) crowd.end();
  });
  const quiet = await new AcknowledgedClient({ url: gateway.wsUrl }).open();

  await early.open({ port, count: COUNT, text: '' });
  await early.open({ port, count: COUNT, text: HEAD });
  await early.open({ port, count: COUNT, text: HEAD, drip: DRIP });
  // The second request of a connection has the same time limit as the first.
  await late.open({ port, count: COUNT, text: `${HEAD}\r\n${HEAD}`, drip: DRIP });
  // Raw clients send no pong by themselves. The process of the others is stopped.
  await early.open({ port, count: COUNT, text: HANDSHAKE });
  await frozen.open({ port, count: COUNT, text: HANDSHAKE });
  frozen.freeze();
  assert.deepEqual(await early.status(), { open: 4 * COUNT, upgraded: COUNT }, 'all are connected');
  assert.equal((await late.status()).open, COUNT);

  const deadlineMs = 30_000;
  await until(async () => (await early.status()).open === 0, { deadlineMs, everyMs: 100 });
  await until(async () => (await late.status()).open === 0, { deadlineMs, everyMs: 100 });
  const closed = { reason: 'idle' };
  const idle = async () =>
    (await freshMetrics(gateway)).value('forebay_connections_closed_total', closed);
  await until(async () => (await idle()) === 2 * COUNT, { deadlineMs, everyMs: 100 });

  const metrics = await freshMetrics(gateway);
  const refused = { reason: 'request_timeout' };
  assert.equal(metrics.value('forebay_handshakes_refused_total', refused), 3 * COUNT);
  assert.equal(
    metrics.value('forebay_connections', { transport: 'ws' }),
    2,
    'the sending client, and the one that only sends pongs',
  );
  assert(quiet.connected, 'a silent client that answers pings stays connected');
  await quiet.close();
  t.diagnostic((await good.stop()).summary);
});

test('a connection that the client closes before its first request is no error', async () => {
  const { gateway } = stage;
  const counted = async () =>
    (await freshMetrics(gateway)).value('forebay_handshakes_refused_total');
  const before = await counted();
  const crowd = new CrowdProcess();
  await crowd.open({ port: gateway.port, count: COUNT, text: '' });
  crowd.end();
  const good = await GoodClient.start(gateway.wsUrl);
  await good.serve(10);
  assert.equal(await counted(), before);
  await good.stop();
});

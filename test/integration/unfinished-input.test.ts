/** Senders that hold memory with incomplete input: others are served meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KIB, LIMITS, MIB } from '../../src/config/limits.ts';
import { CrowdProcess, HANDSHAKE } from '../../testing/crowd-process.ts';
import { good } from '../../testing/events.ts';
import { FrameClient } from '../../testing/frame-client.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { freshMetrics, openStage, post } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { RawHttp } from '../support/raw-http.ts';
import { useStage } from '../support/use-stage.ts';

/** Memory above that of a worker that has just warmed up. */
const ROOM_BYTES = 48 * MIB;
const PARTIAL_BYTES = 120 * KIB;
const PARTIAL_FRAMES = 800;

const stage = useStage(async () => {
  const calm = await openStage();
  const client = await GoodClient.start(calm.gateway.wsUrl);
  await client.serve(100);
  await client.stop();
  const bytes = (await freshMetrics(calm.gateway)).value('forebay_worker_resident_bytes');
  await calm.gateway.stop();
  const env = {
    FOREBAY_MAX_INPUT_BYTES: String(LIMITS.inputBytesMin),
    FOREBAY_MAX_RSS_BYTES: String(bytes + ROOM_BYTES),
    // Memory ends the bodies, not time, however slow the machine.
    FOREBAY_HTTP_TIMEOUT_MS: '120000',
  };
  return { env, end: 'kill' };
});
let bystander: GoodClient;
stage.atStart(async () => {
  bystander = await GoodClient.start(stage.gateway.wsUrl);
});

/** Sends a body without its end. */
function heldBody(bytes: number): RawHttp {
  const body = new RawHttp(stage.gateway.port);
  body.request('POST /events', {
    'Content-Type': 'application/json',
    'Content-Length': String(bytes),
  });
  body.write(Buffer.alloc(bytes - 1, ' '));
  return body;
}

test('incomplete bodies: the oldest ones are 408, a new one is stored, small or large', async (t) => {
  const { gateway } = stage;
  const fitting = LIMITS.inputBytesMin / MIB;
  const bodies: RawHttp[] = [];
  t.after(() => {
    for (const body of bodies) body.destroy();
  });
  const open = async (count: number) => {
    for (let index = 0; index < count; index++) {
      const body = heldBody(MIB);
      bodies.push(body);
      await body.flushed();
      // A turn of its own for each body: an overlong turn keeps none.
      await fetch(`${gateway.httpUrl}/livez`).then((response) => response.text());
    }
  };
  const ended = () => bodies.filter(({ text }) => text !== '').length;
  await open(fitting);
  await open(20);
  await until(() => ended() >= 20, { what: () => `the end of 20 bodies, ${ended()} have` });
  const { status, headers, body } = await bodies.find(({ text }) => text !== '')!.answer();
  assert.deepEqual([status, headers.get('retry-after')], [408, '1']);
  assert.match(body, /"request_timeout".*memory for incomplete input was exhausted/);
  // None, if the memory limit has ended the others too.
  const held = (await freshMetrics(gateway)).value('forebay_input_bytes');
  assert(held <= LIMITS.inputBytesMin, `${held} bytes`);

  assert.equal((await post(stage, good('small'))).status, 200);
  const large = `[${good('large')}${' '.repeat(900 * KIB)}]`;
  assert.equal((await post(stage, large)).status, 200);
  const values = await stage.newValues();
  for (const name of ['small', 'large']) {
    assert.equal(values.filter((value) => value.includes(`"${name}"`)).length, 1, name);
  }
  await bystander.serve(20);
  const metrics = await freshMetrics(gateway);
  assert.equal(metrics.value('forebay_input_limit_bytes'), LIMITS.inputBytesMin);
  const reason = { reason: 'request_timeout' };
  assert(metrics.value('forebay_requests_refused_total', reason) >= 20, 'they are counted');
});

/** Sends a frame without its end. */
function partialFrame(): string {
  const head = [0x81, 0xff, 0, 0, 0, 0, 0, PARTIAL_BYTES >> 16, (PARTIAL_BYTES >> 8) & 0xff, 0];
  return String.fromCharCode(...head, 0, 0, 0, 0) + 'x'.repeat(PARTIAL_BYTES - 1);
}

test('incomplete messages: closed above the memory limit, new clients are served again', async (t) => {
  const { gateway } = stage;
  const { port } = gateway;
  const crowd = new CrowdProcess();
  t.after(() => crowd.end());
  // The process waits in vain for connections that are rejected above the limit.
  const partial = { count: PARTIAL_FRAMES, text: HANDSHAKE, reply: partialFrame() };
  void crowd.open({ port, ...partial }).catch(() => {});
  const reason = { reason: 'memory_short' };
  const ended = async () =>
    (await freshMetrics(gateway)).value('forebay_connections_closed_total', reason);
  await until(async () => (await ended()) > 0, { what: 'the end of the first' });
  const served = async () => {
    try {
      await (await FrameClient.open(gateway.wsUrl)).close();
      return (await post(stage, good('newcomer'))).status === 200;
    } catch {
      return false;
    }
  };
  await until(served, { what: 'a served new client' });
  await until(async () => (await fetch(`${gateway.adminUrl}/readyz`)).ok, { what: '/readyz' });
  await bystander.serve(20);
  t.diagnostic((await bystander.stop()).summary);
  assert.equal(gateway.workers().length, 1);
  assert.equal((await gateway.stop()).code, 0);
  assert.deepEqual(gateway.errors, []);
});

/** Clients that pipeline requests and never read the responses. */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { MIB } from '../../src/config/limits.ts';
import { TRANSPORT } from '../../testing/gateway.ts';
import { GoodClient } from '../../testing/good-client.ts';
import { freshMetrics } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { useStage } from '../support/use-stage.ts';

/** More than the kernel buffers of both ends hold. */
const UNREAD_BYTES = 128 * MIB;
const GROWTH_BYTES_MAX = 24 * MIB;

const stage = useStage();
const resident = async () =>
  (await freshMetrics(stage.gateway)).value('forebay_worker_resident_bytes');

test('responses that a client never reads take little memory, and end its connection', async (t) => {
  const { gateway } = stage;
  const neighbor = await GoodClient.start(gateway.wsUrl);
  await neighbor.serve(20);
  const file = await fetch(`${gateway.httpUrl}/client.js`).then((response) => response.text());
  const calmBytes = await resident();
  const socket = connect(gateway.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.pause();
  t.after(() => socket.destroy());
  let unreadBytes = 0;
  let maxBytes = 0;
  for (let count = 1; unreadBytes < UNREAD_BYTES && !socket.destroyed; count++) {
    await new Promise((resolve) =>
      socket.write('GET /client.js HTTP/1.1\r\nHost: a\r\n\r\n', resolve),
    );
    // The next request comes when this one has been answered: others end the connection anyway.
    await fetch(`${gateway.httpUrl}/livez`).then((response) => response.text());
    unreadBytes += file.length;
    if (count % 500 === 0) maxBytes = Math.max(maxBytes, await resident());
  }
  t.diagnostic(`${(unreadBytes / MIB).toFixed(0)} MiB requested`);
  await neighbor.serve(20);
  maxBytes = Math.max(maxBytes, await resident());
  // The transport of Node.js stops reading, and closes the connection when nothing moves any more.
  // A paused socket notices that only when it writes.
  const isClosed = () => {
    socket.write('\n');
    return socket.destroyed;
  };
  if (TRANSPORT === 'node') await until(isClosed);
  assert(socket.destroyed, 'closed before all was requested');
  assert(maxBytes - calmBytes < GROWTH_BYTES_MAX, `${(maxBytes - calmBytes) / MIB} MiB more`);
  await neighbor.stop();
  assert.deepEqual(gateway.errors, []);
});

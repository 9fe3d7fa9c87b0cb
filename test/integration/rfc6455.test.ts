/**
 * RFC 6455, row by row: each on a connection of its own, concurrently, and short ones also byte by
 * byte. A well-behaved client is served meanwhile and loses nothing.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { GoodClient } from '../../testing/good-client.ts';
import { accountOf, metricsAtRest } from '../../testing/stage.ts';
import { until } from '../../testing/wait.ts';
import { OPCODE, wsFrame } from '../../testing/ws-frame.ts';
import { HOSTILE_FRAMES as ALL, type HostileFrames } from '../fixtures/hostile-frames.ts';
import { framesOn } from '../fixtures/transport-differences.ts';
import { useStage } from '../support/use-stage.ts';
import { WsSocket } from '../support/ws-socket.ts';

const HOSTILE_FRAMES = ALL.map(framesOn);

/** Maximum length of rows that are also sent byte by byte. */
const SPLIT_BYTES_MAX = 300;

const stage = useStage({ env: { KAFKA_LINGER_MS: '1' } });

/** Sends the row's bytes and asserts its expectations. */
async function attack(row: HostileFrames, split: boolean): Promise<void> {
  const socket = await WsSocket.open(stage.gateway.port);
  if (split) await socket.sendSplit(row.bytes);
  else socket.send(row.bytes);
  if (row.end === 'lives') {
    await socket.until(() => socket.acknowledged >= row.acks, `${row.acks} acks`);
    assert(await socket.lives(), 'the connection is open');
    assert.equal(socket.acknowledged, row.acks, 'acknowledged');
    assert.deepEqual(socket.pongs.slice(0, -1), row.pongs, 'pongs');
    await socket.end();
  } else if (row.end === 'waits') {
    await socket.end();
    assert.equal(socket.texts.length, 1, `only hello: ${socket.texts}`);
  } else if (row.end === 'FIN') {
    await socket.end();
  } else await socket.ended();
  assert.deepEqual(socket.refused, row.refused, 'refused');
  const closeCode = typeof row.end === 'number' ? row.end : undefined;
  assert.equal(socket.closeCode, closeCode, 'the code of the close frame');
  assert.deepEqual(socket.violations, [], 'violations');
}

/** Concurrent rows: with more, more events wait for a turn when their connections are closed. */
const AT_ONCE = 16;

/** Returns the failures, row by row. */
async function failures(rows: readonly HostileFrames[], split: boolean): Promise<string[]> {
  const failed: string[] = [];
  for (let from = 0; from < rows.length; from += AT_ONCE) {
    const attacks = rows.slice(from, from + AT_ONCE).map((row) =>
      attack(row, split).catch((error: Error) => {
        failed.push(`${row.name}: ${error.message.replaceAll('\n', ' ')}`);
      }),
    );
    await Promise.all(attacks);
  }
  return failed;
}

/** Sends rows next to a well-behaved client, and checks all stored events. */
async function table(t: TestContext, rows: readonly HostileFrames[], split: boolean) {
  const client = await GoodClient.overWs(t, stage.gateway.wsUrl, split ? 'split' : 'whole');
  await client.untilServed(1);
  const failed = await failures(rows, split);
  await client.untilServed(100);
  const { ids, p99Ms } = await client.stop();
  t.diagnostic(
    `${rows.length} rows; the good client's p99 of ${ids.length} acks: ${p99Ms.toFixed(1)} ms`,
  );
  assert.deepEqual(failed, []);
  await metricsAtRest(stage.gateway);
  const values = await stage.newValues();
  const ofClient = values.filter((value) => ids.includes(JSON.parse(value).id));
  assert.equal(ofClient.length, ids.length, 'each event of the well-behaved client, once');
  let others = values.filter((value) => !ofClient.includes(value));
  // An event that waits for a turn is dropped when a violation ends its connection: it has no ack.
  const isMissing = ({ end, stored }: HostileFrames) =>
    end !== 'lives' && stored.some((value) => !others.includes(value));
  for (const row of rows.filter(isMissing)) {
    t.diagnostic(`again, alone: ${row.name}`);
    others = others.filter((value) => !row.stored.includes(value));
    await attack(row, split);
    await metricsAtRest(stage.gateway);
    others.push(...(await stage.newValues()));
  }
  assert.deepEqual(others.sort(), rows.flatMap(({ stored }) => stored).sort());
}

test('each row is accepted, rejected or ends its connection, and nothing else of it is stored', async (t) => {
  assert(HOSTILE_FRAMES.length > 120, `${HOSTILE_FRAMES.length} rows`);
  await table(t, HOSTILE_FRAMES, false);
});

test('each row has the same result byte by byte', async (t) => {
  await table(
    t,
    HOSTILE_FRAMES.filter(({ bytes }) => bytes.length <= SPLIT_BYTES_MAX),
    true,
  );
});

test('endless pings and pongs: flooding, and another client is served', async (t) => {
  const client = await GoodClient.overWs(t, stage.gateway.wsUrl, 'flooded');
  const flooding = async () => {
    const metrics = await stage.gateway.metrics();
    return metrics.value('forebay_connections_closed_total', { reason: 'flooding' });
  };
  for (const [index, opcode] of [OPCODE.ping, OPCODE.pong].entries()) {
    const socket = await WsSocket.open(stage.gateway.port);
    socket.pour(Buffer.concat(new Array(10_000).fill(wsFrame(opcode, 'x'))));
    await socket.ended();
    // A client that keeps sending may lose the close frame to the reset that follows.
    assert([1013, undefined].includes(socket.closeCode), `close ${socket.closeCode}`);
    await until(async () => (await flooding()) === index + 1, { what: 'a flooding connection' });
    await client.untilServed(client.served + 1);
  }
  const { ids } = await client.stop();
  await metricsAtRest(stage.gateway);
  assert.equal((await stage.newRecords()).length, ids.length);
});

test('all events are accounted for, and all connections are closed', async () => {
  const account = await accountOf(stage.gateway);
  assert.equal(account.unaccounted, 0);
  const metrics = await until(async () => {
    const now = await stage.gateway.metrics();
    return now.value('forebay_connections', { transport: 'ws' }) === 0 ? now : undefined;
  });
  assert.equal(metrics.value('forebay_worker_restarts_total', { cause: 'crash' }), 0);
  assert.deepEqual(stage.gateway.errors, []);
});

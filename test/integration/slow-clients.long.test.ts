/**
 * slowhttptest's attacks, each with 1,000 sockets: clients that send heads and bodies, or read
 * responses, as slowly as possible. Other clients are served meanwhile.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readlinkSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { GoodClient } from '../../testing/good-client.ts';
import { metricsAtRest } from '../../testing/stage.ts';
import { missingTool } from '../../testing/tools.ts';
import { until } from '../../testing/wait.ts';
import { useStage } from '../support/use-stage.ts';

const skip = missingTool('slowhttptest');
const SOCKETS = 1_000;
const FEW = 20;

const stage = useStage(() => (skip ? undefined : { env: { KAFKA_LINGER_MS: '1' } }));

/** Returns the number of the worker's open sockets. */
function workerSockets(): number {
  const [worker] = stage.gateway.workers();
  const folder = `/proc/${worker}/fd`;
  const isSocket = (name: string) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:');
    } catch {
      return false;
    }
  };
  return readdirSync(folder).filter(isSocket).length;
}

/** A running attack. */
interface Attack {
  readonly child: ChildProcess;
  said: string;
}

/** Starts an attack that would last a minute. */
function attack(t: TestContext, path: string, ...args: string[]): Attack {
  const sockets = ['-c', String(SOCKETS), '-r', String(SOCKETS), '-l', '60'];
  const url = ['-u', `${stage.gateway.httpUrl}${path}`];
  const child = spawn('slowhttptest', [...args, ...sockets, ...url]);
  const begun: Attack = { child, said: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      begun.said += data;
    });
  }
  t.after(() => child.kill('SIGKILL'));
  return begun;
}

/**
 * Asserts that other clients are served during attacks, and that the gateway closes their sockets.
 * @param sockets minimum of concurrent sockets of an effective attack
 */
async function withstand(t: TestContext, name: string, sockets: number, begin: () => Attack[]) {
  const before = workerSockets();
  const clients = [
    await GoodClient.overWs(t, stage.gateway.wsUrl, `${name}-ws`),
    GoodClient.overHttp(t, stage.gateway.httpUrl, `${name}-http`),
  ];
  for (const client of clients) await client.untilServed(1);
  const attacks = begin();
  let most = 0;
  const look = () => {
    const now = workerSockets() - before;
    most = Math.max(most, now);
    return now;
  };
  const said = () => `${most} sockets, ${attacks.map((one) => one.said.slice(-700)).join('\n')}`;
  await until(() => look() >= sockets, { what: () => `the attack: ${said()}` });
  const sinceMs = performance.now();
  const served = clients.map((client) => client.served);
  // The other clients have a few sockets themselves.
  const gone = () => look() < FEW;
  await until(gone, { deadlineMs: 45_000, what: () => `the end of the sockets: ${said()}` });
  const seconds = ((performance.now() - sinceMs) / 1000).toFixed(1);
  for (const [index, client] of clients.entries()) await client.untilServed(served[index]! + 1);
  const [ws, http] = await Promise.all(clients.map((client) => client.stop()));
  const p99 = `p99 ${ws!.p99Ms.toFixed(1)} ms by WebSocket, ${http!.p99Ms.toFixed(1)} by HTTP`;
  t.diagnostic(`${most} sockets, gone within ${seconds} s; ${p99}`);
  await metricsAtRest(stage.gateway);
  const stored = (await stage.newValues()).map((value) => JSON.parse(value).id);
  assert.deepEqual(stored.sort(), [...ws!.ids, ...http!.ids].sort());
  return attacks;
}

test('2,000 clients that send heads and bodies byte by byte are closed', { skip }, async (t) => {
  const body = ['-s', '8192', '-f', 'application/json'];
  const attacks = await withstand(t, 'senders', 1.8 * SOCKETS, () => [
    attack(t, '/', '-H', '-i', '1', '-x', '20'),
    attack(t, '/events', '-B', '-i', '1', '-x', '20', ...body),
  ]);
  // It would have lasted a minute.
  for (const one of attacks) {
    await until(() => one.said.includes('Exit status'), { what: () => one.said });
    assert.match(one.said, /No open connections left/);
  }
});

test('1,000 clients that read byte by byte are closed, and 1,000 that request ranges', {
  skip,
}, async (t) => {
  // Those of ranges are short, and a busy machine opens the others over several seconds.
  await withstand(t, 'readers', 0.5 * SOCKETS, () => [
    attack(t, '/page.js', '-X', '-w', '1', '-y', '2', '-n', '1', '-z', '1', '-k', '10'),
    attack(t, '/', '-R', '-a', '5', '-b', '2000'),
  ]);
});

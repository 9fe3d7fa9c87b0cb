/** Processes of a gateway: exposure to the outside, and secrets in each of them. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { type Gateway, startGateway } from '../../testing/gateway.ts';
import { until } from '../../testing/wait.ts';

const TOKEN = 'token-of-operators-3f9';
const PASSWORD = 'password-of-kafka-77';
const GOOD = { method: 'POST', headers: { authorization: `Bearer ${TOKEN}` } };

let gateway: Gateway;
before(async () => {
  const env = {
    FOREBAY_ADMIN_TOKEN: TOKEN,
    FOREBAY_WORKERS: '2',
    KAFKA_SASL_MECHANISM: 'plain',
    KAFKA_SASL_USERNAME: 'forebay',
    KAFKA_SASL_PASSWORD: PASSWORD,
  };
  gateway = await startGateway({ brokers: ['127.0.0.1:1'], topic: 'none', env, ready: false });
  await untilServing();
});
after(() => gateway.kill());

/** Waits until both workers listen. */
async function untilServing(): Promise<void> {
  const ready = async () => (await gateway.metrics()).value('forebay_workers', { state: 'ready' });
  await until(async () => (await ready()) === 2, { what: 'two workers' });
}

const environmentOf = (pid: number) => readFileSync(`/proc/${pid}/environ`, 'latin1');

test('workers do not have the admin token, nor do their replacements', async () => {
  assert(environmentOf(gateway.pid).includes(TOKEN), 'the primary has it');
  const first = gateway.workers();
  process.kill(first[0]!, 'SIGKILL');
  await until(() => gateway.workers().some((pid) => !first.includes(pid)), {
    what: 'a new worker',
  });
  await untilServing();
  for (const pid of gateway.workers()) {
    const environment = environmentOf(pid);
    assert(!environment.includes('FOREBAY_ADMIN_TOKEN'));
    assert(!environment.includes(TOKEN));
    assert(
      environment.includes(`KAFKA_SASL_PASSWORD=${PASSWORD}`),
      'workers have the settings they need',
    );
  }
});

test('SIGUSR1 neither opens an inspector nor ends a process, in the primary and in workers', async () => {
  const workers = gateway.workers();
  for (const pid of [gateway.pid, ...workers]) {
    process.kill(pid, 'SIGUSR1');
    process.kill(pid, 'SIGUSR1');
  }
  await untilServing();
  // Signals are handled in order: effects of the first one are logged when this one is done.
  assert.equal((await fetch(`${gateway.adminUrl}/drain`, GOOD)).status, 202);
  await gateway.exit;
  assert.deepEqual(gateway.errors, []);
});

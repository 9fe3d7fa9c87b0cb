/** What the processes of a gateway are open to from outside, and what each of them knows. */
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

/** Both workers have taken their port. */
async function untilServing(): Promise<void> {
  const ready = async () => (await gateway.metrics()).value('forebay_workers', { state: 'ready' });
  await until(async () => (await ready()) === 2, { what: 'two workers' });
}

const environmentOf = (pid: number) => readFileSync(`/proc/${pid}/environ`, 'latin1');

test('workers do not know the operators’ token, those that replace others neither', async () => {
  assert(environmentOf(gateway.pid).includes(TOKEN), 'the primary has it');
  const first = gateway.workers();
  process.kill(first[0]!, 'SIGKILL');
  await until(() => gateway.workers().some((pid) => !first.includes(pid)), { what: 'another one' });
  await untilServing();
  for (const pid of gateway.workers()) {
    const environment = environmentOf(pid);
    assert(!environment.includes('FOREBAY_ADMIN_TOKEN'));
    assert(!environment.includes(TOKEN));
    assert(environment.includes(`KAFKA_SASL_PASSWORD=${PASSWORD}`), 'what they need they have');
  }
});

test('SIGUSR1 opens no inspector and ends nothing, in the primary and in workers', async () => {
  const workers = gateway.workers();
  for (const pid of [gateway.pid, ...workers]) {
    process.kill(pid, 'SIGUSR1');
    process.kill(pid, 'SIGUSR1');
  }
  await untilServing();
  // Signals are taken in order: what the first one led to has been said when this one is done.
  assert.equal((await fetch(`${gateway.adminUrl}/drain`, GOOD)).status, 202);
  await gateway.exit;
  assert.deepEqual(gateway.errors, []);
});

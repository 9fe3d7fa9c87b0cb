import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Result } from '../../bench/result.ts';
import { type Bench, runScenario } from '../../bench/scenario.ts';
import type { Gateway } from '../../testing/gateway.ts';

const PASSED: Result = { setup: 'a test', figures: [], problems: [] };
const FAILED: Result = { ...PASSED, problems: ['seeded'] };

/** Runs a scenario on a Kafka and gateways that only record their calls. */
async function run(work: (bench: Bench) => Promise<Result>, ownKafka = false) {
  const said: string[] = [];
  let kafkas = 0;
  const scenario = { name: 'test', summary: 'a test', minutes: 0, ownKafka, run: work };
  const result = await runScenario(scenario, {
    places: { worker: undefined, rest: undefined, all: undefined, text: 'not pinned' },
    rounds: 1,
    brokerPids: [],
    kafka: async () => {
      kafkas++;
      return ['a:1'];
    },
    startGateway: async ({ topic }) => ({ logTail: () => `last words of ${topic}` }) as Gateway,
    log: (line) => said.push(line),
  }).catch((error: Error) => error.message);
  return { result, said, kafkas };
}

test('a scenario that passes logs nothing about its gateways', async () => {
  const ran = await run(async ({ brokers, startGateway }) => {
    await startGateway({ brokers, topic: 'one' });
    assert.deepEqual(brokers, ['a:1']);
    return PASSED;
  });
  assert.deepEqual(ran, { result: PASSED, said: [], kafkas: 1 });
});

test('a scenario that fails or throws shows the ends of its gateways’ logs', async () => {
  const start = async ({ brokers, startGateway }: Bench) => {
    for (const topic of ['one', 'two']) await startGateway({ brokers, topic });
  };
  const said = ['one', 'two'].map((name) => `the gateway’s log ends:\nlast words of ${name}`);
  const failed = await run(async (bench) => {
    await start(bench);
    return FAILED;
  });
  assert.deepEqual(failed, { result: FAILED, said, kafkas: 1 });
  const thrown = await run(async (bench) => {
    await start(bench);
    throw new Error('seeded');
  });
  assert.deepEqual(thrown, { result: 'seeded', said, kafkas: 1 });
});

test('a scenario with its own Kafka starts no other', async () => {
  const ran = await run(async ({ brokers }) => {
    assert.deepEqual(brokers, []);
    return PASSED;
  }, true);
  assert.deepEqual(ran, { result: PASSED, said: [], kafkas: 0 });
});

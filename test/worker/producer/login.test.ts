/** Credentials that are refused: at the start that is a matter of configuration, later an alarm. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counters } from '../../../src/metrics/counters.ts';
import { Accumulator } from '../../../src/worker/accumulator/accumulator.ts';
import { Budget } from '../../../src/worker/accumulator/budget.ts';
import { type BrokerLink, LinkError } from '../../../src/worker/producer/link.ts';
import { Producer } from '../../../src/worker/producer/producer.ts';
import { until } from '../../support/wait.ts';
import { recordFaults } from '../faults.ts';

/** A producer whose login is refused each time; what it said and logged. */
function refused(prepare: (producer: Producer) => void) {
  const told: string[] = [];
  const { faults, lines } = recordFaults();
  const budget = new Budget(2 ** 20);
  const link: BrokerLink = {
    idle: false,
    usable: false,
    open: () => Promise.reject(new LinkError('configuration', 'wrong password')),
    request: () => Promise.reject(new LinkError('configuration', 'not open')),
    close: () => {},
  };
  const producer = new Producer({
    topic: 'events',
    bootstrap: [{ host: 'h', port: 1 }],
    createLink: () => link,
    faults,
    lingerMs: 0,
    eventTimeoutMs: 1_000,
    maxRequestBytes: 2 ** 16,
    budget,
    accumulator: new Accumulator({ budget, batchBytes: 1_000, maxEventBytes: 1_000 }),
    counters: new Counters(),
    outcomes: { stored: () => {}, refused: () => {}, overdue: () => {} },
    topicListener: {
      reached: () => {},
      topicMissing: () => {},
      unreachable: () => {},
      refusedByPolicy: () => {},
      loginRefused: (message) => told.push(message),
    },
  });
  prepare(producer);
  producer.start();
  return { told, lines, stop: () => producer.stop() };
}

test('refused before anything ever worked: it is told, so that the instance ends', async () => {
  const { told, stop } = refused(() => {});
  await until(() => told.length > 0);
  stop();
  assert.equal(told[0], 'wrong password');
});

test('refused to a new worker while others work: an alarm, and it tries again', async () => {
  const { told, lines, stop } = refused((producer) => producer.health.hasWorked());
  await until(() => lines.some(({ error }) => error === 'wrong password'));
  stop();
  assert.deepEqual(told, []);
});

/** Credentials that are refused: at the start that is a matter of configuration, later an alarm. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { KIB, MIB } from '../../../src/config/limits.ts';
import { Counters } from '../../../src/metrics/counters.ts';
import { type BrokerLink, LinkError } from '../../../src/worker/producer/link.ts';
import type { Producer } from '../../../src/worker/producer/producer.ts';
import { wireBuffer, wireProducer } from '../../../src/worker/wire.ts';
import { until } from '../../../testing/wait.ts';
import { recordFaults } from '../faults.ts';

/** A producer whose login is refused each time; what it said and logged. */
function refused(prepare: (producer: Producer) => void) {
  const told: string[] = [];
  const { faults, lines } = recordFaults();
  const link: BrokerLink = {
    idle: false,
    supports: () => true,
    usable: false,
    open: () => Promise.reject(new LinkError('configuration', 'wrong password')),
    request: () => Promise.reject(new LinkError('configuration', 'not open')),
    close: () => {},
  };
  const settings = {
    kafkaTopic: 'events',
    bufferBytes: MIB,
    batchBytes: KIB,
    maxFrameBytes: KIB,
    lingerMs: 0,
    eventTimeoutMs: 1_000,
    maxRequestBytes: 64 * KIB,
  };
  const connection = {
    bootstrap: [{ host: 'h', port: 1 }],
    createLink: () => link,
    codec: undefined,
    topicListener: {
      reached: () => {},
      topicMissing: () => {},
      topicRecreated: () => {},
      unreachable: () => {},
      refusedByPolicy: () => {},
      authenticationFailed: (message: string) => void told.push(message),
    },
  };
  const reporting = { counters: new Counters(), log: pino({ enabled: false }), faults };
  const outcomes = { stored: () => {}, refused: () => {}, overdue: () => {} };
  const buffer = wireBuffer(settings);
  const producer = wireProducer(settings, buffer, reporting, connection, outcomes);
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
  const { told, lines, stop } = refused((producer) => producer.health.authenticated());
  await until(() => lines.some(({ error }) => error === 'wrong password'));
  stop();
  assert.deepEqual(told, []);
});

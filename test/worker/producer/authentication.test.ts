/** Rejected credentials: a configuration error at the start, an alarm later. */
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

/** A producer whose authentication fails each time; its reports and log lines. */
function refused(prepare: (producer: Producer) => void) {
  const reported: string[] = [];
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
      authenticationFailed: (message: string) => void reported.push(message),
    },
  };
  const reporting = { counters: new Counters(), log: pino({ enabled: false }), faults };
  const outcomes = { stored: () => {}, rejected: () => {}, overdue: () => {} };
  const buffer = wireBuffer(settings);
  const producer = wireProducer(settings, buffer, reporting, connection, outcomes);
  prepare(producer);
  producer.start();
  return { reported, lines, stop: () => producer.stop() };
}

test('rejected before anything worked: reported, so that the instance exits', async () => {
  const { reported, stop } = refused(() => {});
  await until(() => reported.length > 0);
  stop();
  assert.equal(reported[0], 'wrong password');
});

test('rejected for a new worker while others work: an alarm, and retries', async () => {
  const { reported, lines, stop } = refused((producer) => producer.health.authenticated());
  await until(() => lines.some(({ error }) => error === 'wrong password'));
  stop();
  assert.deepEqual(reported, []);
});

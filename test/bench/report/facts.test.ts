import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commitOf, machineOf, runFacts } from '../../../bench/report/facts.ts';
import { facts } from './run-of.ts';

test('facts of a run on this machine', () => {
  const found = runFacts({});
  assert(found.cores > 0 && found.memoryGiB > 0 && found.cpu !== '');
  assert.equal(found.node, process.versions.node);
  assert.match(found.date, /^\d{4}-\d\d-\d\d \d\d:\d\d$/);
  assert.equal(found.kafkajs, '2.2.4');
  for (const version of [found.uws, found.ws, found.kafka]) {
    assert.match(version, /^\d+\.\d+\.\d+$/);
  }
  assert.equal(runFacts({ KAFKA_BROKERS: 'a:1' }).kafka, 'that of KAFKA_BROKERS');
});

test('machine and commit as text', () => {
  assert.equal(machineOf(facts), 'Some CPU, 2 cores');
  assert.equal(machineOf({ ...facts, cores: 1 }), 'Some CPU, 1 core');
  assert.equal(commitOf(facts), 'abc1234');
  assert.equal(commitOf({ ...facts, clean: false }), 'abc1234 with changes');
});

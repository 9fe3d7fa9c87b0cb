import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfig } from '../../src/config/config.ts';
import { creationOf, differencesOf } from '../../src/streams/topic-creation.ts';
import { parse } from './support.ts';

const fileOf = (streams: string) => parse(`version: 1\nstreams:\n${streams}`).file!;

test('a topic is created as the stream that declares it says, with the settings as defaults', () => {
  const file = fileOf(
    '  a: { topic: t }\n  b: { topic: t, create: { partitions: 3, config: { retention.ms: 1 } } }\n  c: { topic: u }\n',
  );
  const settings = readConfig({ KAFKA_TOPIC_REPLICATION: '2' });
  assert.deepEqual(creationOf('t', file, settings), {
    partitions: 3,
    replication: 2,
    config: { 'retention.ms': '1' },
  });
  assert.equal(creationOf('u', file, settings), undefined);
});

test('only declared properties are compared with a topic, and only those that are known', () => {
  const config = { 'retention.ms': '1', 'cleanup.policy': 'delete' };
  const declared = { partitions: 3, replication: undefined, config };
  const existing = (partitions: number, found?: Record<string, string>) => ({
    partitions,
    replication: 1,
    config: found && new Map(Object.entries(found)),
  });
  assert.deepEqual(differencesOf(declared, existing(3, config)), []);
  assert.deepEqual(differencesOf(declared, existing(3)), []);
  assert.deepEqual(differencesOf(declared, existing(12, { ...config, 'retention.ms': '2' })), [
    'partitions is 12, not 3',
    'retention.ms is 2, not 1',
  ]);
  assert.deepEqual(differencesOf({ ...declared, replication: 3 }, existing(3)), [
    'replication is 1, not 3',
  ]);
  assert.deepEqual(differencesOf({ ...declared, replication: -1 }, existing(3)), []);
  assert.deepEqual(differencesOf(undefined, existing(3)), []);
});
